"""`db lint`: each rule finds a dangerous migration at its line, and leaves a safe one alone."""

from collections.abc import Callable

import pytest

from ..projects import Project
from .cases import CASES, ELSEWHERE, FAILURES, FILES, KEYLESS, LETTERS, PARTED, TABLE
from .histories import History, expected_in, migration, review, seen_of

pytestmark = pytest.mark.slow


def test_what_is_found(render: Callable[..., Project], database: str, database_url: str) -> None:
    project = render(database=database, example=False)
    package = str(project.answers["package_name"])
    bodies = [migration(body) for each, body in CASES.values() if LETTERS[database] in each]
    names = [name for name, (each, _) in CASES.items() if LETTERS[database] in each]
    names += [*FILES, "fails"]
    bodies += [*FILES.values(), migration(FAILURES[LETTERS[database]])]
    tables = [*(f"t{number}" for number in range(len(names))), "z0", "z1"]
    first = [TABLE.replace("{t}", table) for table in tables]
    first += [KEYLESS, PARTED, ELSEWHERE] if database == "postgresql" else []
    files = {"first": migration("\n".join(first))}
    for name, table, body in zip(names, tables, bodies, strict=False):
        files[name] = body.replace("{t}", table).replace("{package}", package)
    answer = review(project, database_url, {"all": History(files)})
    found = answer["found"]["all"]["findings"]
    wrong = {
        name: (expected, seen)
        for name, text in files.items()
        if (expected := expected_in(text)) != (seen := seen_of(found, name))
    }
    assert not wrong, [each["message"] for each in found if each["code"] == "fails"]
    for each in found:
        if each["message"].startswith(("Runs `CLUSTER", "Runs `VACUUM FULL")):
            assert "Of a whole table: leave it out" in each["safe_way"]
        if each["code"] == "rename-enum-value":
            assert "RENAME VALUE '...' TO '...'`." in each["message"]
        if each["code"] == "add-unique" and database == "postgresql":
            assert "safe_ops.create_index with unique=True" in each["safe_way"]
    tried = {code for text in files.values() for _, code in expected_in(text)}
    rules = {rule for rule in answer["rules"] if not rule.startswith("squawk-")}
    assert tried == rules - {"breaks-previous-release", "edits-migration"}


TWICE = """
op.execute("CREATE SCHEMA elsewhere")
for schema in (None, "elsewhere"):
    op.create_table("t", sa.Column("id", sa.BigInteger, primary_key=True), schema=schema)
    op.create_foreign_key(
        "f", "t", "t", ["id"], ["id"], source_schema=schema, referent_schema=schema
    )
"""
IN_EACH = """
op.execute("CREATE SCHEMA new")
op.create_table("t", sa.Column("id", sa.BigInteger, primary_key=True), schema="new")
op.create_foreign_key("f", "t", "t", ["id"], ["id"], source_schema="new", referent_schema="new")
op.execute("DELETE FROM new.t")
op.alter_column("t", "id", type_=sa.Integer, existing_type=sa.BigInteger)
op.alter_column(
    "t", "id", type_=sa.Integer, existing_type=sa.BigInteger, schema="elsewhere"
)
op.create_foreign_key(
    "g", "t", "t", ["id"], ["id"], source_schema="elsewhere", referent_schema="new"
)
op.rename_table("t", "u", schema="elsewhere")
op.execute("DROP TABLE elsewhere.u")
op.drop_column("t", "id", schema="public")
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_one_name(render: Callable[..., Project], database_url: str) -> None:
    """In several schemas: each is named with its own, and what is new is nobody's yet."""
    project = render(database="postgresql", example=False)
    histories = {
        "each": History({"before": migration(TWICE), "new": migration(IN_EACH)}),
        "path": History(
            {
                "before": migration(TWICE + 'op.drop_table("t")'),
                "new": migration(
                    'op.execute("SET LOCAL search_path TO public, elsewhere; DELETE FROM t")'
                ),
            }
        ),
        "line": History(
            {
                "before": migration(TWICE),
                "new": migration(
                    """
                    op.drop_column("t", "id", schema="elsewhere")  # -> drop-column breaks-previous-release
                    op.drop_column("t", "id")  # -> drop-column breaks-previous-release
                    """
                ),
            },
            ["new"],
        ),
    }
    found = review(project, database_url, histories)["found"]
    assert [each["message"] for each in found["each"]["findings"]] == [
        "Makes t.id another type.",
        "Makes elsewhere.t.id another type.",
        "Lets elsewhere.t (id) refer to new.t.",
        "Renames the table elsewhere.t to u.",
        "Runs `DROP TABLE elsewhere.u`.",
        "Drops the column public.t.id.",
    ]
    costs = [costs for sql, *costs in found["each"]["statements"]["new"] if "TYPE INT" in sql]
    assert [rewrites for _, rewrites, _ in costs] == [["t"], ["elsewhere.t"]]
    assert ["AccessExclusive", "elsewhere.t"] in costs[1][0]
    assert [each["code"] for each in found["path"]["findings"]] == ["unbatched-update"]
    assert seen_of(found["line"]["findings"], "new") == expected_in(histories["line"].files["new"])


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_value_that_need_not_be_taken_back(
    render: Callable[..., Project], database_url: str
) -> None:
    """As autogenerate writes it."""
    change = "op.execute(\"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad' AFTER 'sad'\")"
    files = {
        "before": migration("op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")"),
        "new": migration(change, "pass"),
    }
    project = render(database="postgresql", example=False)
    answer = review(project, database_url, {"all": History(files, ["new"])})
    assert answer["found"]["all"]["findings"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_squawk(render: Callable[..., Project], database_url: str) -> None:
    """As it is: what it says of locks, the server knows better, and what it cannot read is left out."""
    files = {
        "new": migration(
            """
            op.execute("CREATE TABLE t -- of theirs\\n(a text)")
            op.get_bind().exec_driver_sql("INSERT INTO t VALUES (%s)", ("x",))
            op.execute("INSERT INTO t VALUES ('--')")
            op.execute("ALTER TABLE t ADD b char(3) DEFAULT 'a;b'")  # -> squawk-ban-char-field
            op.add_column("t", sa.Column("c", sa.DateTime))  # -> squawk-prefer-timestamp-tz
            op.add_column("t", sa.Column("d", sa.DateTime))  # safe: squawk-prefer-timestamp-tz UTC
            op.execute("CREATE TYPE mood AS ENUM ('sad')")
            op.execute("ALTER TYPE mood ADD VALUE 'glad'")  # -> squawk-require-enum-value-ordering
            op.execute("CREATE DOMAIN e AS int CHECK (value > 0)")  # -> squawk-ban-create-domain-with-constraint
            op.execute("ALTER DOMAIN e ADD CHECK (value < 9)")  # -> squawk-ban-alter-domain-with-add-constraint
            op.execute("CREATE TABLE " + "long" * 20 + " (a int)")  # -> squawk-identifier-too-long
            """
        )
    }
    project = render(database="postgresql", example=False)
    answer = review(project, database_url, {"all": History(files)})
    found = seen_of(answer["found"]["all"]["findings"], "new")
    assert found == expected_in(files["new"])
    assert {code for _, code in found} == {
        rule for rule in answer["rules"] if rule.startswith("squawk-")
    }
