"""MySQL and MariaDB: what a migration must not do, since the journal could not complete it."""

import pytest

from .changes import DIE, TIMES_TEN, A, B
from .workshop import MARKS, Workshop

pytestmark = MARKS


@pytest.mark.parametrize("statement", ["LOCK TABLES t WRITE", "XA BEGIN 'x'"])
def test_what_locks_out_the_journal_is_refused(workshop: Workshop, statement: str) -> None:
    with workshop.case(f'op.execute("{statement}")') as case:
        assert "lock out the journal" in case.refused()


def test_another_database_is_refused(workshop: Workshop) -> None:
    """A migration that is tried in a throw-away database would change the one that it names."""
    with workshop.case("op.execute('/* Of a dump. */ use mysql;')\n" + A) as case:
        said = case.refused()
        assert "The upgrade of r2 (src/" in said
        assert ": USE would lead to another database" in said


ROLLBACKS = {
    "op.get_bind().rollback()": "rollback()",
    'op.execute("ROLLBACK AND CHAIN")': "ROLLBACK AND CHAIN",
    "session.rollback()": "rollback()",
    # The driver's own.
    "op.get_bind().connection.rollback()": "rollback()",
}


@pytest.mark.parametrize("rest", ["", TIMES_TEN, A], ids=["ends", "writes", "defines"])
def test_a_rollback_is_refused(workshop: Workshop, rest: str) -> None:
    """It would take back what was written, and the migration would be recorded as applied."""
    write = """
from sqlalchemy.orm import Session
session = Session(op.get_bind())
session.execute(sa.text("UPDATE t SET v = v * 10"))
"""
    with workshop.case(write) as case:
        for rollback, said in ROLLBACKS.items():
            case.edit(f"{write}with suppress(Exception):\n    {rollback}\n{rest}")
            assert f"The upgrade of r2 says {said}, by which rows" in case.refused()
            assert case.query("SELECT * FROM t") == [(1, 1), (2, 2)]
        case.edit(f"{write}session.commit()\nsession.close()\n{rest}")
        case.complete()
        assert case.query("SELECT v FROM t WHERE id = 1") == [(100 if rest == TIMES_TEN else 10,)]


def test_a_refusal_cannot_be_ignored(workshop: Workshop) -> None:
    ignored = (
        "try:\n    op.get_bind().exec_driver_sql('UPDATE t SET v = 7')\nexcept Exception: pass\n"
    )
    with workshop.case(TIMES_TEN + A + DIE + B) as case:
        case.die()
        case.edit(ignored + A + B)
        assert "Put it back as it was: UPDATE t SET v = v * 10" in case.refused()
        assert case.query("SELECT v FROM t WHERE id = 1") == [(10,)]
