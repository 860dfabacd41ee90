"""How the journal tells statements apart: by words, without a grammar of SQL."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

from ...template import ROOT

PACKAGE = ROOT / "template" / "src" / "{{ package_name }}"
PATH = PACKAGE / "migrations" / "toolkit" / "apply" / "journal" / "statements.py"


@pytest.fixture(scope="module")
def statements() -> Any:
    """The module needs nothing of its package."""
    spec = spec_from_file_location("journal_statements", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("(SELECT 1) UNION (SELECT 2)", "READ"),
        ("WITH a AS (SELECT 1) SELECT * FROM a FOR UPDATE", "READ"),
        ("WITH a AS (SELECT 1) UPDATE t JOIN a SET v = 1", "WRITE"),
        ("CREATE TEMPORARY TABLE x (id INT)", "WRITE"),
        ("-- A comment.\n# Another.\n/* And */ alter table t ADD a INT", "DEFINE"),
        ("/*!50003 CREATE*/ /*!50003 TRIGGER x BEFORE INSERT ON t ... */", "DEFINE"),
        ("SET STATEMENT max_statement_time = 1 FOR UPDATE t SET v = 1", "WRITE"),
        ("ANALYZE TABLE t", "DEFINE"),
        ("ANALYZE FORMAT = JSON UPDATE t SET v = 1", "OPAQUE"),
        ("CREATE USER x", "OPAQUE"),
        ("CALL p()", "OPAQUE"),
        ("SELECT v INTO OUTFILE 'x' FROM t", "OPAQUE"),
        ("SELECT v INTO @x FROM t", "READ"),
        ("BEGIN WORK", "SESSION"),
        ("BEGIN NOT ATOMIC DELETE FROM t; END", "OPAQUE"),
        ("SET foreign_key_checks = 0", "SESSION"),
        ("DROP PREPARE p", "SESSION"),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "SESSION"),
        ("SET @x = 3", "SESSION"),
        ("SET @x = UUID()", "READ"),
        ("LOCK TABLES t WRITE", "REFUSED"),
        ("XA BEGIN 'x'", "REFUSED"),
        ("rollback", "REFUSED"),
        ("ROLLBACK WORK AND CHAIN", "REFUSED"),
        ("ROLLBACK TO a", "SESSION"),
        ("ROLLBACK WORK TO SAVEPOINT a", "SESSION"),
    ],
)
def test_kind(statements: Any, sql: str, kind: str) -> None:
    assert statements.Statement.parse(sql).kind.name == kind


@pytest.mark.parametrize(
    ("sql", "named", "other"),
    [
        ("CREATE TABLE a (id INT)", True, False),
        ("CREATE OR REPLACE VIEW a AS SELECT 1", True, False),
        ("DROP TABLE a", True, False),
        ("RENAME TABLE a TO b", True, False),
        ("ALTER TABLE a RENAME b", True, False),
        ("ALTER TABLE t ENGINE = MyISAM", True, False),
        ("ALTER TABLE t CONVERT PARTITION p TO TABLE a", True, False),
        ("ALTER TABLE t ADD COLUMN renamed INT", False, False),
        ("CREATE INDEX i ON t (id)", False, False),
        ("CREATE UNIQUE INDEX i ON t (id)", False, False),
        ("INSERT INTO t VALUES (1)", False, False),
        ("SET sql_mode = ''", False, False),
        ("CALL p()", False, True),
        ("DROP DATABASE d", True, True),
    ],
)
def test_what_may_bring_or_take_tables(statements: Any, sql: str, named: bool, other: bool) -> None:
    statement = statements.Statement.parse(sql)
    assert (statement.may_change_tables, statement.may_change_any_table) == (named, other)


def test_comments_and_space_do_not_count_outside_quotes(statements: Any) -> None:
    one = statements.Statement.parse("INSERT  INTO t -- Why.\nVALUES ('a  b', '/* c */');")
    other = statements.Statement.parse("INSERT INTO t VALUES /* That. */ ('a  b', '/* c */')")
    assert one == other
    assert one != statements.Statement.parse("INSERT INTO t VALUES ('a b', '/* c */')")


@pytest.mark.parametrize(
    ("sql", "swaps"),
    [
        ("/* Both. */ RENAME TABLE a TO x, b TO a, x TO b", True),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE x", True),
        ("RENAME TABLE a TO b", False),
        ("TRUNCATE TABLE t", False),
    ],
)
def test_definitions_that_may_look_the_same_before_and_after(
    statements: Any, sql: str, swaps: bool
) -> None:
    statement = statements.Statement.parse(sql)
    assert statement.is_hidden
    assert statement.swaps is swaps


@pytest.mark.parametrize(
    ("sql", "variables"),
    [
        ("SET @a = (SELECT 1), @`b c` = 2", ["@`b c`", "@a"]),
        ("CREATE DEFINER = `root`@`%` VIEW v AS SELECT @@sql_mode", []),
        ("INSERT INTO t VALUES ('someone@example.com')", []),
    ],
)
def test_variables(statements: Any, sql: str, variables: list[str]) -> None:
    assert statements.Statement.parse(sql).variables == variables
