"""A long history of changes, each with what it leads to, and the tables that the models have then."""

from collections.abc import Mapping
from dataclasses import dataclass

KEY = "sa.Column('id', sa.Integer, primary_key=True)"
COLLATIONS = {
    "sqlite": "NOCASE",
    "postgresql": "C",
    "mysql": "utf8mb4_bin",
    "mariadb": "utf8mb4_bin",
}
STATUS = "sa.Column('status', sa.Enum({}, name='status', native_enum=False, create_constraint=True, length=9))"
FRIEND = "sa.Column('friend_id', sa.ForeignKey('users.id', ondelete='SET NULL'){})"
PEOPLE = (
    "sa.Column('id', sa.Integer, sa.Identity({}), primary_key=True),"
    " sa.Column('moods', sa.ARRAY(sa.Enum('low', 'high', name='level')))"
)
STAYS = (
    "sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('during', sa.dialects.postgresql.INT4RANGE),"
    " sa.dialects.postgresql.ExcludeConstraint(('during', '{}'), name='overlap'),"
    " sa.Column('until', sa.Integer), sa.Column('clean', sa.Integer, sa.Computed('{}', persisted=True)),"
    " sa.Index('ix_clean', 'clean')"
)
WHERE = "postgresql_where=sa.text('age > {0}'), sqlite_where=sa.text('age > {0}')"


@dataclass
class Step:
    """A change of one part of the tables, and what it leads to."""

    message: str
    part: str
    new: str | None
    written: str
    #: What Alembic does not see by itself, and `check` says.
    missed: str = ""
    said: str = ""
    rename: str = ""
    databases: tuple[str, ...] = ("sqlite", "postgresql", "mysql", "mariadb")


TABLES = {"tags", "labels", "people", "persons", "orders"}
#: Parts are columns and constraints of the table `users`; or a table of their own.
STEPS = [
    Step(
        "create users", "name", "sa.Column('name', sa.String(50), nullable=False)", "create_table"
    ),
    Step("add their age", "age", "sa.Column('age', sa.Integer)", "add_column"),
    Step(
        "rename the name",
        "name",
        "sa.Column('fullname', sa.String(50), nullable=False)",
        'new_column_name="fullname"',
        rename="users.name:fullname",
    ),
    Step("limit the age", "ck", "sa.CheckConstraint('age > -5', name='age')", "create_check"),
    Step(
        "limit the age less",
        "ck",
        "sa.CheckConstraint('age > -6', name='age')",
        "create_check_constraint",
        missed="check ck_users_age of users is ",
    ),
    Step("add a status", "status", STATUS.format("'on', 'off'"), "Enum"),
    Step(
        "add a third status",
        "status",
        STATUS.format("'on', 'off', 'new'"),
        "'new'",
        missed="check ck_users_status of users is ",
    ),
    Step("add a mood", "mood", "sa.Column('mood', sa.Enum('sad', 'glad', name='mood'))", "Enum"),
    Step(
        "add another mood",
        "mood",
        "sa.Column('mood', sa.Enum('sad', 'mad', 'glad', name='mood'))",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'mad' AFTER 'sad'",
        missed="type mood is ENUM ('sad', 'glad'), and should be ",
        databases=("postgresql",),
    ),
    Step(
        "compute the age next year",
        "next",
        "sa.Column('next', sa.Integer, sa.Computed('age + 1', persisted=True))",
        'sa.Computed("age + 1"',
    ),
    Step(
        "compute the age after that",
        "next",
        "sa.Column('next', sa.Integer, sa.Computed('age + 2', persisted=True))",
        'sa.Computed("age + 2"',
        missed="column users.next is ",
        said="users.next: Dropped with its values",
    ),
    Step("find the old", "ix", f"sa.Index('ix_old', 'age', {WHERE.format(60)})", "create_index"),
    Step(
        "find the older",
        "ix",
        f"sa.Index('ix_old', 'age', {WHERE.format(70)})",
        'sa.text("age > 70")',
        missed="index ix_old of users is ",
        databases=("sqlite", "postgresql"),
    ),
    Step(
        "create tags",
        "tags",
        "sa.Column('a', sa.String(20), primary_key=True), sa.Column('b', sa.String(20),"
        " nullable=False), sa.Index(None, 'b')",
        "create_table",
    ),
    Step(
        "have more tags",
        "tags",
        "sa.Column('a', sa.String(20), primary_key=True), sa.Column('b', sa.String(20),"
        " primary_key=True), sa.Index(None, 'b')",
        '["a", "b"]',
        missed="primary key of tags is ",
    ),
    Step("rename the tags", "tags", None, 'rename_table("tags", "labels")', rename="tags:labels"),
    Step("add a note", "note", "sa.Column('note', sa.String(20))", "add_column"),
    Step(
        "sort the notes by bytes",
        "note",
        "sa.Column('note', sa.String(20, collation='BINARY'))",
        'collation="BINARY"',
        missed="column users.note is ",
    ),
    Step(
        "add a code",
        "code",
        "sa.Column('code', sa.String(20, collation='BINARY'))",
        'collation="BINARY"',
    ),
    Step(
        "sort the codes as usual",
        "code",
        "sa.Column('code', sa.String(20))",
        "type_=sa.String(length=20",
        missed="column users.code is ",
    ),
    Step("refer to another", "friend", FRIEND.format(""), "create_foreign_key"),
    Step(
        "find friends",
        "friend",
        FRIEND.format(", index=True"),
        "RENAME INDEX fk_users_friend_id TO ix_users_friend_id",
        databases=("mysql", "mariadb"),
    ),
    Step(
        "find no friends",
        "friend",
        FRIEND.format(""),
        "RENAME INDEX ix_users_friend_id TO fk_users_friend_id",
        databases=("mysql", "mariadb"),
    ),
    Step(
        "refuse addresses",
        "no_address",
        "sa.CheckConstraint(\"fullname NOT LIKE '%@%'\", name='fullname')",
        "LIKE '%@%'",
    ),
    Step(
        "find in any case",
        "ix_lower",
        "sa.Index('ix_lower', sa.text('(lower(fullname))'))",
        "(lower(fullname))",
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Step(
        "find in capitals",
        "ix_lower",
        "sa.Index('ix_lower', sa.text('(upper(fullname))'))",
        "(upper(fullname))",
        missed="index ix_lower of users is ",
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Step("add a wait", "wait", "sa.Column('wait', sa.Interval)", "sa.Interval()"),
    Step(
        "add a size",
        "size",
        "sa.Column('size', sa.SmallInteger, server_default='7')",
        "sa.SmallInteger()",
    ),
    Step(
        "allow larger sizes",
        "size",
        "sa.Column('size', sa.Integer, server_default='7')",
        "type_=sa.Integer()",
    ),
    Step("create orders", "orders", KEY, "create_table", databases=("postgresql",)),
    Step(
        "number more orders",
        "orders",
        KEY.replace("Integer", "BigInteger"),
        "ALTER SEQUENCE orders_id_seq AS bigint",
        databases=("postgresql",),
    ),
    Step(
        "create people",
        "people",
        PEOPLE.format("always=True"),
        "create_table",
        databases=("postgresql",),
    ),
    Step(
        "let people have keys of their own",
        "people",
        PEOPLE.format(""),
        "server_default=sa.Identity(always=False)",
        databases=("postgresql",),
    ),
    Step(
        "drop people",
        "people",
        None,
        "DROP TYPE level",
        said="people: Dropped with its rows",
        databases=("postgresql",),
    ),
    Step(
        "create stays",
        "people",
        STAYS.format("&&", "until + 1"),
        "create_table",
        databases=("postgresql",),
    ),
    Step(
        "let no stay touch another",
        "people",
        STAYS.format("-|-", "until + 1"),
        "EXCLUDE USING gist (during WITH -|-)",
        missed="exclusion overlap of people is ",
        databases=("postgresql",),
    ),
    Step(
        "clean a day later",
        "people",
        STAYS.format("-|-", "until + 2"),
        'create_index("ix_clean", "people", ["clean"]',
        missed="column people.clean is ",
        said="people.clean: Dropped with its values",
        databases=("postgresql",),
    ),
    Step(
        "give a default",
        "age",
        "sa.Column('age', sa.Integer, server_default=sa.text('7'))",
        "server_default",
    ),
    Step(
        "sort by age",
        "ix_age",
        "sa.Index('ix_age', sa.text('age DESC'))",
        "age DESC",
        databases=("sqlite", "postgresql", "mysql"),
    ),
    Step("drop the note", "note", None, "drop_column", said="users.note: Dropped with its values"),
    Step("drop the labels", "labels", None, "drop_table", said="labels: Dropped with its rows"),
]


def tables(parts: Mapping[str, str]) -> str:
    found = {name: text for name, text in parts.items() if name in TABLES}
    found["users"] = ", ".join([KEY, *(text for name, text in parts.items() if name not in TABLES)])
    return "".join(f"sa.Table('{name}', Base.metadata, {text})\n" for name, text in found.items())


def columns(**types: str) -> dict[str, str]:
    return {name: f"sa.Column('{name}', {text})" for name, text in types.items()}
