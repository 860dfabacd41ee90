"""Which tables there are is not asked again before each statement of a migration."""

from textwrap import dedent

from sqlalchemy.engine import make_url

from .changes import TWO_TABLES
from .workshop import MARKS, Workshop

pytestmark = MARKS

#: Each digest is compared with that of somebody who knows nothing yet.
COMPARED = """
from copy import copy
from my_service.migrations.toolkit.apply.journal.schema import Schema

seen, digest = [], Schema.digest

def compared(self, statement):
    anew = copy(self)
    anew._known, anew._doubtful = {}, set()
    found = digest(self, statement)
    assert found == digest(anew, statement), statement.text
    seen.append(found)
    return found

Schema.digest = compared
"""

STATEMENTS = """
CREATE TABLE t (id INT PRIMARY KEY)
CREATE TABLE Mixed (t INT, u INT, Other INT)
ALTER TABLE Mixed ADD COLUMN mixed INT
CREATE TABLE Other LIKE Mixed
CREATE INDEX u ON Other (t)
RENAME TABLE Mixed TO u, Other TO mixed
ALTER TABLE u RENAME Mixed
CREATE VIEW u AS SELECT t AS Mixed FROM mixed
ALTER TABLE mixed ADD COLUMN p INT
DROP VIEW u
CALL p()
ALTER TABLE `by procedure` ADD COLUMN mixed INT
CREATE TABLE {other}.elsewhere (mixed INT)
ALTER TABLE {other}.elsewhere ADD COLUMN elsewhere INT
RENAME TABLE {other}.elsewhere TO here
ALTER TABLE here ADD COLUMN other INT
CREATE TABLE {other}.elsewhere (here INT)
DROP DATABASE {other}
CREATE DATABASE {other}
CREATE TABLE elsewhere (here INT)
DROP TABLE elsewhere, here
DROP TABLE IF EXISTS elsewhere
CREATE TABLE elsewhere (here INT)
"""
FAILS = """
with suppress(sa.exc.DBAPIError):
    op.execute("DROP TABLE elsewhere, nowhere")
op.execute("CREATE TABLE nowhere (elsewhere INT)")
assert len(seen) > 20
"""
PROCEDURE = 'op.execute("CREATE PROCEDURE p() CREATE TABLE `by procedure` (id INT)")\n'


def test_a_digest_is_that_of_what_there_is(workshop: Workshop) -> None:
    """Else a statement that did nothing would be taken for one that took effect."""
    with workshop.case("pass", first=TWO_TABLES + PROCEDURE) as case:
        other = f"{make_url(case.url).database}_other"
        case.execute(f"CREATE DATABASE {other}")
        statements = STATEMENTS.format(other=other).strip().splitlines()
        calls = "".join(f"op.execute({each!r})\n" for each in statements)
        # Interrupted, as if one of two were dropped.
        case.edit(dedent(COMPARED) + 'op.execute("DROP TABLE t, u")\n' + calls + FAILS)
        case.interrupt("DROP TABLE t, u")
        case.execute("CREATE TABLE u (id INT PRIMARY KEY)")
        try:
            case.complete()
        finally:
            case.execute(f"DROP DATABASE {other}")
