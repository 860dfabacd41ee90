"""Changes that one part of a table entails in another."""

from dataclasses import dataclass

from .parts import (
    ALONE,
    BETWEEN,
    BY_BOTH,
    BY_CODE,
    BY_EXPRESSION,
    BY_FUNCTION,
    BY_OWN_NAME,
    CHECKED,
    COLONS,
    COMPUTED,
    COUNTED,
    GRADES,
    IN_CAPITALS,
    IN_CIRCLE,
    IN_CIRCLE_OF_ONE,
    IN_TEAM,
    INDEXED,
    KEYED_TWICE,
    LARGE,
    LIMITED,
    NAMED,
    OF_TEAM,
    ONE_OF,
    PRICE,
    SETTINGS,
    SIZES,
    SORTED,
    TEAMS,
    YES,
)
from .steps import KEY


@dataclass(frozen=True)
class Change:
    name: str
    #: Tables with their columns and constraints.
    before: dict[str, str]
    after: dict[str, str]
    rename: str = ""
    databases: tuple[str, ...] = ("sqlite", "postgresql", "mysql", "mariadb")
    #: The version of PostgreSQL that can do it.
    since: int = 0


# Each follows in its history on the fourth before it: another order would be another test.
CHANGES = [
    Change(
        "add unique nicknames",
        {"users": KEY},
        {"users": f"{KEY}, sa.Column('nick', sa.String(20), unique=True)"},
    ),
    Change(
        "add indexed teams",
        {"users": KEY, **TEAMS},
        {"users": f"{KEY}, {OF_TEAM.format(', index=True')}", **TEAMS},
    ),
    Change(
        "rename what is unique",
        {"users": f"{KEY}, sa.Column('nick', sa.String(20), unique=True)"},
        {"users": f"{KEY}, sa.Column('name', sa.String(20), unique=True)"},
        rename="users.nick:name",
    ),
    Change(
        "rename a reference",
        {"users": f"{KEY}, {OF_TEAM.format('')}", **TEAMS},
        {"users": f"{KEY}, {OF_TEAM.format('').replace('team_id', 'club_id')}", **TEAMS},
        rename="users.team_id:club_id",
    ),
    Change(
        "drop a reference",
        {"users": f"{KEY}, {OF_TEAM.format('')}", **TEAMS},
        {"users": f"{KEY}, sa.Column('team_id', sa.Integer)", **TEAMS},
    ),
    Change(
        "comment on what is computed",
        {"users": f"{KEY}, sa.Column('price', sa.Integer), {COMPUTED}"},
        {"users": f"{KEY}, sa.Column('price', sa.Integer), {COMPUTED[:-1]}, comment='a pair')"},
        databases=("postgresql", "mysql", "mariadb"),
    ),
    Change(
        "limit below zero",
        {"users": f"{KEY}, {LARGE}"},
        {"users": f"{KEY}, {LARGE}, sa.CheckConstraint('size > -5', name='size')"},
    ),
    Change(
        "refer by what is there",
        {"users": f"{KEY}, sa.Column('team_id', sa.Integer)", **TEAMS},
        {"users": f"{KEY}, {OF_TEAM.format('')}", **TEAMS},
    ),
    Change(
        "drop who refers by an index",
        {"users": f"{KEY}, {OF_TEAM.format(', index=True')}", **TEAMS},
        TEAMS,
    ),
    Change(
        "allow a longer grade",
        {"users": f"{KEY}, {GRADES.format(repr('a'))}"},
        {"users": f"{KEY}, {GRADES.format(repr('a') + ', ' + repr('longer'))}"},
    ),
    Change("found two that need each other", TEAMS, {**TEAMS, **IN_CIRCLE}),
    Change("drop two that need each other", {**TEAMS, **IN_CIRCLE}, TEAMS),
    Change(
        "comment on what is JSON",
        {"users": f"{KEY}, sa.Column('data', sa.JSON)"},
        {"users": f"{KEY}, sa.Column('data', sa.JSON, comment='anything')"},
        databases=("postgresql", "mysql", "mariadb"),
    ),
    Change(
        "drop all that has a type of its own",
        {"users": f"{KEY}, {ONE_OF.format('mood', 'mood')}"},
        {},
        databases=("postgresql",),
    ),
    Change("drop what is JSON", {"users": f"{KEY}, sa.Column('data', sa.JSON)"}, {"users": KEY}),
    Change(
        "rename what has a list of values",
        {"tags": f"{KEY}, {NAMED}"},
        {"labels": f"{KEY}, {NAMED}"},
        rename="tags:labels",
    ),
    Change(
        "rename what a CHECK names",
        {"users": f"{KEY}, {LIMITED.format('size')}"},
        {"users": f"{KEY}, {LIMITED.format('extent')}"},
        rename="users.size:extent",
    ),
    Change(
        "rename a table and what a CHECK and an index name",
        {"users": f"{KEY}, {LIMITED.format('size')}, {BY_OWN_NAME.format('size')}"},
        {"people": f"{KEY}, {LIMITED.format('extent')}, {BY_OWN_NAME.format('extent')}"},
        rename="users:people people.size:extent",
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "rename what an index computes with",
        {"users": f"{KEY}, {BY_EXPRESSION.format('size')}"},
        {"users": f"{KEY}, {BY_EXPRESSION.format('extent')}"},
        rename="users.size:extent",
        # MariaDB has no such index.
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "find by no expression",
        {"users": f"{KEY}, {BY_EXPRESSION.format('size')}"},
        {"users": f"{KEY}, sa.Column('size', sa.Integer), sa.Index('ix_negative', 'size')"},
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "find nothing by an expression",
        {"users": f"{KEY}, {BY_EXPRESSION.format('size')}"},
        {"users": f"{KEY}, sa.Column('size', sa.Integer)"},
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "rename a key",
        {"doors": KEY},
        {"doors": KEY.replace("id", "number")},
        rename="doors.id:number",
    ),
    Change(
        "sort by nothing",
        {"users": f"{KEY}, {SORTED}"},
        {"users": f"{KEY}, sa.Column('age', sa.Integer)"},
    ),
    Change(
        "drop what is sorted",
        {**TEAMS, "users": f"{KEY}, {SORTED}"},
        TEAMS,
    ),
    Change(
        "lengthen in any case",
        {"users": f"{KEY}, sa.Column('name', sa.String(9))"},
        {"users": f"{KEY}, sa.Column('name', sa.String(20, collation='NOCASE'))"},
        databases=("sqlite",),
    ),
    Change(
        "index a rate",
        {"50% off": f"{KEY}, sa.Column('rate', sa.Integer), sa.Index('ix_rate', 'rate')"},
        {"50% off": f"{KEY}, sa.Column('rate', sa.Integer), sa.Index('ix_off%', 'rate')"},
    ),
    Change(
        "drop what is found by an expression",
        {**TEAMS, "users": f"{KEY}, {BY_EXPRESSION.format('size')}"},
        TEAMS,
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "drop what is computed",
        {
            "users": f"{KEY}, sa.Column('price', sa.Integer), {COMPUTED.replace('Integer', 'Numeric(9, 2)')}"
        },
        {"users": f"{KEY}, sa.Column('name', sa.String(9))"},
    ),
    Change(
        "exclude nothing",
        {"users": f"{KEY}, sa.Column('during', sa.dialects.postgresql.INT4RANGE), {ALONE}"},
        {"users": f"{KEY}, sa.Column('during', sa.dialects.postgresql.INT4RANGE)"},
        databases=("postgresql",),
    ),
    Change(
        "rename what is one of a few",
        {"users": f"{KEY}, {GRADES.format(repr('a'))}"},
        {"users": f"{KEY}, {GRADES.replace('grade', 'mark', 1).format(repr('a'))}"},
        rename="users.grade:mark",
    ),
    Change(
        "order what is one of a few",
        {"users": f"{KEY}, {GRADES.format(repr('a'))}"},
        {"users": f"{KEY}, {GRADES.replace('grade', 'order', 1).format(repr('a'))}"},
        rename="users.grade:order",
    ),
    Change(
        "replace what is one of a few",
        {"users": f"{KEY}, {GRADES.replace('grade', 'mark', 1).format(repr('a'))}"},
        {"users": f"{KEY}, {GRADES.format(repr('a'))}"},
    ),
    Change(
        "drop what is one of an order",
        {
            "users": f"{KEY}, {GRADES.replace('grade', 'order', 1).format(repr('a') + ', ' + repr('b'))}"
        },
        {"users": KEY},
    ),
    Change(
        "limit what has colons",
        {"users": f"{KEY}, {COLONS}"},
        {"users": f"{KEY}, {COLONS.replace('done', 'over')}"},
    ),
    Change(
        "rename what has colons",
        {"users": f"{KEY}, sa.Column('data', sa.String(90), server_default='{{\"theme\":1}}')"},
        {"users": f"{KEY}, sa.Column('options', sa.String(90), server_default='{{\"theme\":1}}')"},
        rename="users.data:options",
    ),
    Change(
        "give other defaults",
        {"users": f"{KEY}, sa.Column('data', sa.String(90), server_default='{{\"theme\":1}}')"},
        {"users": f"{KEY}, sa.Column('data', sa.String(90), server_default='{{\"theme\":2}}')"},
    ),
    Change(
        "compute with no word on NULL",
        TEAMS,
        {
            **TEAMS,
            "prices": f"{KEY}, sa.Column('price', sa.Integer, nullable=False), {COMPUTED}",
        },
    ),
    Change(
        "name types in their own way",
        {"users": f"{KEY}, {IN_CAPITALS.format('')}"},
        {"users": f"{KEY}, {IN_CAPITALS.format(', ' + repr('*:read'))}"},
        databases=("postgresql", "mysql", "mariadb"),
    ),
    Change(
        "add a size beside one with a backslash",
        {"users": f"{KEY}, {SIZES.format('')}"},
        {"users": f"{KEY}, {SIZES.format(repr('S') + ', ')}"},
        databases=("postgresql",),
    ),
    Change(
        "count what was one of a few",
        {"users": f"{KEY}, {ONE_OF.format('level', 'level')}, {ONE_OF.format('rank', 'rank')}"},
        {"users": f"{KEY}, sa.Column('level', sa.Integer), {ONE_OF.format('rank', 'place')}"},
        databases=("postgresql",),
    ),
    Change(
        "drop two that need a unique column",
        {**TEAMS, **BY_CODE},
        TEAMS,
    ),
    Change(
        "rename what others refer to",
        {**TEAMS, **BY_CODE},
        {**TEAMS, **{name: text.replace("code'", "key'") for name, text in BY_CODE.items()}},
        rename="groups.code:key",
    ),
    Change(
        "drop a table with all kinds",
        {
            "users": f"{KEY}, sa.Column('data', sa.JSON), sa.Column('nick', sa.String(9), unique=True),"
            f" sa.Column('size', sa.Integer, index=True), {GRADES.format(repr('a'))},"
            " sa.CheckConstraint('size > 3', name='size'), sqlite_autoincrement=True",
            **TEAMS,
        },
        TEAMS,
    ),
    Change(
        "set up otherwise what is JSON",
        {"users": f"{KEY}, {SETTINGS}"},
        {"users": f"{KEY}, {SETTINGS.replace('dark', 'light')}"},
        # MySQL's JSON has no default.
        databases=("sqlite", "postgresql", "mariadb"),
    ),
    Change(
        "rename what has braces",
        {"size{cm}": KEY},
        {"length{cm}": KEY},
        rename="size{cm}:length{cm}",
        # Where the name of a key goes with it.
        databases=("postgresql",),
    ),
    Change(
        "compute the double when it is read",
        {"prices": PRICE.format(True)},
        {"prices": PRICE.format(False)},
        since=18,
    ),
    Change(
        "find by team and age",
        {"users": IN_TEAM, **TEAMS},
        {"users": f"{IN_TEAM}, {BY_BOTH}", **TEAMS},
        databases=("mysql", "mariadb"),
    ),
    Change(
        "find by nothing but the team",
        {"users": f"{IN_TEAM}, {BY_BOTH}", **TEAMS},
        {"users": IN_TEAM, **TEAMS},
        databases=("mysql", "mariadb"),
    ),
    Change(
        "find by age as well",
        {"users": f"{IN_TEAM}, sa.Index('ix_team', 'team_id')", **TEAMS},
        {"users": f"{IN_TEAM}, {BY_BOTH}", **TEAMS},
        databases=("mysql", "mariadb"),
    ),
    Change(
        "number more rows",
        {"users": COUNTED},
        {"users": COUNTED.replace("Integer", "BigInteger")},
        databases=("postgresql", "mysql", "mariadb"),
    ),
    Change(
        "number no more rows",
        {"users": COUNTED},
        {"users": "sa.Column('id', sa.BigInteger, primary_key=True, autoincrement=False)"},
        databases=("postgresql",),
    ),
    Change("say twice what is unique", TEAMS, {**TEAMS, "tags": KEYED_TWICE}),
    Change("limit what needs no limit", {"users": KEY}, {"users": f"{KEY}, {YES}"}),
    Change(
        "compute from another column",
        {"prices": f"{KEY}, sa.Column('price', sa.Integer), {INDEXED}"},
        {"prices": f"{KEY}, sa.Column('net', sa.Integer), {INDEXED.replace('price', 'net')}"},
    ),
    Change(
        "compute four times the price",
        {"prices": PRICE.format(None)},
        {"prices": PRICE.format(None).replace("* 2", "* 4")},
        databases=("postgresql",),
    ),
    Change(
        "find by another function",
        {"users": BY_FUNCTION.format("lower")},
        {"users": BY_FUNCTION.format("upper")},
        # MariaDB has no such index.
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "limit a size in its column",
        {"users": KEY},
        {
            "users": f"{KEY}, {CHECKED}",
            "boxes": f"{KEY}, {CHECKED}",
        },
        # MariaDB takes no name for it.
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Change(
        "number more of what is referred to",
        {"users": IN_CIRCLE_OF_ONE, **TEAMS},
        {
            "users": IN_CIRCLE_OF_ONE.replace("Integer", "BigInteger"),
            "teams": KEY.replace("Integer", "BigInteger"),
        },
        # SQLite gives no numbers then.
        databases=("postgresql", "mysql", "mariadb"),
    ),
    Change(
        "refer to longer codes and find by none",
        BY_CODE | {"members": f"{BY_CODE['members']}, sa.Index('ix_code', 'group_code', 'id')"},
        {name: text.replace("String(9)", "String(20)") for name, text in BY_CODE.items()},
    ),
    Change(
        "find by the team and the number",
        {"users": f"{IN_TEAM}, {BY_BOTH}", **TEAMS},
        {"users": f"{IN_TEAM}, {BY_BOTH.replace('age', 'id')}", **TEAMS},
    ),
    Change(
        "allow no more than a hundred",
        {"users": f"{KEY}, {BETWEEN.format(200)}"},
        {"users": f"{KEY}, {BETWEEN.format(100)}"},
    ),
]
