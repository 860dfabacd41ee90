"""Changes that one part of a table entails in another: written once, and taken back whole."""

from dataclasses import dataclass

import pytest

from ..apply.lab import Lab, Target
from .authoring import Write, run_history, versions
from .steps import KEY

pytestmark = pytest.mark.slow


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


HISTORIES = 4

TEAMS = {"teams": KEY}
OF_TEAM = "sa.Column('team_id', sa.ForeignKey('teams.id'){})"
IN_CIRCLE = {
    "clubs": f"{KEY}, sa.Column('owner_id', sa.ForeignKey('members.id'), nullable=False)",
    "members": f"{KEY}, sa.Column('club_id', sa.ForeignKey('clubs.id'))",
}
GRADES = "sa.Column('grade', sa.Enum({}, name='grade', native_enum=False, create_constraint=True))"
NAMED = (
    "sa.Column('name', sa.String(9)),"
    " sa.CheckConstraint(\"name IN ('a', 'it''s') OR name = 'b'\", name='name')"
)
# A constant holds the name as well.
LIMITED = (
    "sa.Column('{0}', sa.Integer, nullable=False, server_default='3'), sa.Column('unit', sa.String(9)),"
    " sa.CheckConstraint(\"{0} > 2 AND unit <> '`size`'\", name='limits'),"
    " sa.CheckConstraint('{0} < 9', name='upper'),"
    " sa.Column('twice', sa.Integer, sa.Computed('{0} * 2', persisted=True), index=True)"
)
BY_EXPRESSION = "sa.Column('{0}', sa.Integer), sa.Index('ix_negative', sa.text('(-{0})'))"
BY_OWN_NAME = "sa.Index('ix_{0}', sa.text('(-{0})'))"
SORTED = "sa.Column('age', sa.Integer), sa.Index('ix_age', sa.text('age DESC'), 'id')"
LARGE = "sa.Column('size', sa.BigInteger, index=True)"
ALONE = "sa.dialects.postgresql.ExcludeConstraint(('during', '&&'), name='alone')"
COLONS = (
    "sa.Column('kind', sa.String(9)), sa.CheckConstraint(r\"kind <> '\\:x-done'\", name='kind'),"
    " sa.Index('ix_open', 'kind', postgresql_where=sa.text(r\"kind <> '\\:done'\"),"
    " sqlite_where=sa.text(r\"kind <> '\\:done'\"))"
)
PRICE = f"{KEY}, sa.Column('price', sa.Integer), sa.Column('double', sa.Integer, sa.Computed('price * 2', persisted={{}}))"
COMPUTED = "sa.Column('twice', sa.Integer, sa.Computed('price * 2', persisted=True))"
IN_CAPITALS = (
    "sa.Column('scope', sa.Enum('users:read', 'Users'{0}, name='JobScope')),"
    " sa.Column('kind', sa.Enum('a', name='order'))"
)
SIZES = r"sa.Column('size', sa.Enum({}'M\\L', name='size'))"
ONE_OF = "sa.Column('{}', sa.Enum('1', '2', name='{}'))"
BY_CODE = {
    "groups": f"{KEY}, sa.Column('code', sa.String(9), unique=True)",
    "members": f"{KEY}, sa.Column('group_code', sa.ForeignKey('groups.code'))",
}
SETTINGS = """
sa.Column('settings', sa.JSON, nullable=False, server_default='{"theme": "dark"}'),
sa.Column('tags', sa.JSON, nullable=False, server_default=sa.text("'[]'"))
"""
# On PostgreSQL, what is its key is not UNIQUE once more, and a BOOLEAN needs no CHECK.
KEYED_TWICE = "sa.Column('name', sa.String(9), primary_key=True, unique=True)"
IN_TEAM = f"{KEY}, {OF_TEAM.format('')}, sa.Column('age', sa.Integer)"
BY_BOTH = "sa.Index('ix_both', 'team_id', 'age')"
COUNTED = "sa.Column('id', sa.Integer, sa.Identity(), primary_key=True)"
YES = "sa.Column('is_old', sa.Boolean(name='is_old', create_constraint=True))"
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
]


# Each command runs all migrations before its own: several histories are sooner through than one.
@pytest.mark.parametrize("begin", range(HISTORIES))
@pytest.mark.usefixtures("unformatted")
def test_changes(lab: Lab, write: Write, begin: int) -> None:
    """Each is complete at once, and nothing of it is refused."""
    write({})
    with lab.fresh() as target:
        known = [each for each in CHANGES[begin::HISTORIES] if _is_known(each, target)]
        orders = [
            {"models": _models(tables), "message": message, "x": x}
            for change in known
            for tables, message, x in (
                (change.before, f"begin to {change.name}", ["no-rename"]),
                (
                    change.after,
                    change.name,
                    [*(f"rename={each}" for each in change.rename.split()), "no-rename"],
                ),
            )
        ]
        made = run_history(target, orders)
    for order, answer in zip(orders, made.answers, strict=True):
        assert (answer["error"], answer["check"]) == ("", ""), order
        for wrong in ("the database refuses", "write this yourself", "Warning"):
            assert wrong not in answer["said"], (order, answer["said"])
    written = {path.read_text().split("\n")[0].strip('"') for path in versions(lab)}
    # What it begins with may be there already.
    assert {change.name for change in known} <= written
    # What PostgreSQL 14 does not know.
    assert not any("nulls_not_distinct" in path.read_text() for path in versions(lab))
    # PostgreSQL's counter keeps the name of a table that was renamed, until that is made anew; and a
    # type keeps its values.
    kept = ("_id_seq", ": type JobScope is ENUM", ": type size is ENUM")
    assert [line for line in made.ways_back if not any(each in line for each in kept)] == []


def _is_known(change: Change, target: Target) -> bool:
    if change.since and target.lab.database == "postgresql":
        return target.postgresql >= change.since
    return target.lab.database in change.databases


def _models(tables: dict[str, str]) -> str:
    return "".join(f"sa.Table('{name}', Base.metadata, {text})\n" for name, text in tables.items())
