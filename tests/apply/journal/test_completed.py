"""MySQL and MariaDB: what the next run does with what an interrupted one has left."""

from textwrap import dedent

import pytest

from .changes import DIE, OF_MYISAM, TIMES_TEN, TWO_TABLES, A, B
from .workshop import MARKS, TABLE, Workshop

pytestmark = MARKS


def test_what_is_not_executed_yet_may_be_edited(workshop: Workshop) -> None:
    with workshop.case(TIMES_TEN + A + DIE + B) as case:
        case.die()
        case.edit(TIMES_TEN + A + "# A comment.\n" + B.replace("b INT", "c INT"))
        output = case.complete()
        assert "The upgrade of r2 stopped at statement 2: completing it." in output
        assert case.query("SELECT id, v, a, c FROM t") == [(1, 10, None, None), (2, 20, None, None)]


def test_what_sqlalchemy_keeps_in_sets(workshop: Workshop) -> None:
    """Their order is left to chance, in each process anew."""
    columns = ", ".join(f"sa.Column('c{number}', sa.Integer, index=True)" for number in range(9))
    keys = ", ".join(f"sa.ForeignKey('t.id', name='fk_{number}')" for number in range(9))
    change = f"""
    op.create_table("s", {columns})
    op.add_column("t", sa.Column("i", sa.Integer, {keys}, unique=True))
    LOADED.create(op.get_bind())
    """
    with workshop.case(dedent(change) + DIE + B) as case:
        file = workshop.versions / "r2.py"
        loaded = f"LOADED = sa.Table('loaded', sa.MetaData(), {columns})\n"
        file.write_text(file.read_text().replace("def die", f"{loaded}\n\ndef die"))
        case.die()
        case.complete()


def test_what_is_executed_must_stay_in_the_file(workshop: Workshop) -> None:
    with workshop.case(TIMES_TEN + A + DIE + B) as case:
        case.die()
        case.edit(TIMES_TEN.replace("10", "100") + A + B)
        assert "Put it back as it was: UPDATE t SET v = v * 10" in case.refused()
        case.edit(TIMES_TEN)
        assert "Put it back as it was: ALTER TABLE t ADD COLUMN a INT" in case.refused()
        case.edit(TIMES_TEN + A + B)
        case.complete()


def test_what_came_before_one_that_failed_must_stay_too(workshop: Workshop) -> None:
    failing = 'op.execute("ALTER TABLE nothing ADD COLUMN c INT")'
    with workshop.case(A + B + failing) as case:
        case.refused()
        case.edit(A)
        assert "Put it back as it was: ALTER TABLE t ADD COLUMN b INT" in case.refused()
        case.edit(A + B)
        case.complete()


def test_another_step_comes_after_the_half_applied_one(workshop: Workshop) -> None:
    undo = 'op.execute("ALTER TABLE t DROP COLUMN b")\ndie()\nop.execute("ALTER TABLE t DROP a")'
    with workshop.case(A + DIE + B, undo) as case:
        case.die()
        command = f"`{workshop.slug} db upgrade r2`"
        assert command in case.refused("downgrade", "base")
        case.complete()
        case.die("downgrade", "r1")
        workshop.write("r3", B, after="r2")
        assert f"`{workshop.slug} db downgrade r2-1`" in case.refused("upgrade", "r3")
        case.complete("downgrade", "r2-1")
        assert case.query("SELECT * FROM t") == [(1, 1), (2, 2)]


def test_a_stamp_forgets_what_was_half_applied(workshop: Workshop) -> None:
    with workshop.case(A + DIE + B) as case:
        case.die()
        case.complete("stamp", "r2")


def test_a_stamp_of_where_it_is_forgets_it_too(workshop: Workshop) -> None:
    """All was undone by hand, and it is not to be begun again."""
    with workshop.case(A + DIE + B) as case:
        case.die()
        case.execute("ALTER TABLE t DROP COLUMN a")
        assert f"`{workshop.slug} db stamp`" in case.refused("upgrade", "r1")
        case.complete("stamp", "r1")
        case.complete("downgrade", "base")


def test_another_step_may_follow_one_that_changed_nothing(workshop: Workshop) -> None:
    look = 'op.get_bind().execute(sa.text("SELECT * FROM t"))\n'
    undo = 'op.execute("DROP TABLE t")'
    with workshop.case(look + 'op.execute("ALTER TABLE nothing ADD COLUMN a INT")') as case:
        workshop.write("r1", TABLE, undo, after=None)
        assert "Nothing of it stays" in case.refused()
        assert case.run("upgrade", "r1").code == 0
        case.complete("downgrade", "base")


def test_it_can_be_begun_again_when_all_was_undone_by_hand(workshop: Workshop) -> None:
    with workshop.case(A + DIE + B) as case:
        case.die()
        case.execute("ALTER TABLE t DROP COLUMN a")
        case.complete("-x", "resume=restart", "upgrade", "head")
        assert case.query("SELECT a, b FROM t WHERE id = 1") == [(None, None)]


def test_what_was_said_of_it_is_not_to_be_repeated(workshop: Workshop) -> None:
    """It would be about what has been done since."""
    fail = 'op.execute("ALTER TABLE nothing ADD COLUMN b INT")'
    with workshop.case(A + DIE + fail) as case:
        case.die()
        case.execute("ALTER TABLE t DROP COLUMN a")
        refusal = case.refused("-x", "resume=restart", "-x", "mine=1", "upgrade", "head")
        assert "-x mine=1 upgrade head` again." in refusal
        assert "resume" not in refusal


def test_an_unknown_word_for_it_is_refused(workshop: Workshop) -> None:
    with workshop.case(A) as case:
        refusal = case.refused("-x", "resume=maybe", "upgrade", "head")
        assert refusal == "-x resume=maybe: this is not done or again or restart."


def test_the_answer_to_a_definition_was_lost(workshop: Workshop) -> None:
    """The server has added the column, and nobody knows it."""
    with workshop.case(A + B) as case:
        case.interrupt("ALTER TABLE t ADD COLUMN a")
        case.complete()
        assert case.query("SELECT a, b FROM t WHERE id = 1") == [(None, None)]


def test_rows_outside_transactions(workshop: Workshop) -> None:
    insert = 'op.execute("INSERT INTO m VALUES (1)")\n'
    with workshop.case(insert + DIE + B, first=OF_MYISAM) as case:
        case.die()
        case.complete()
        assert case.query("SELECT COUNT(*) FROM m") == [(1,)]
    with workshop.case(insert + B, first=OF_MYISAM) as case:
        case.interrupt("INSERT INTO m")
        assert "the server does not tell whether it took effect" in case.refused()
        case.complete("-x", "resume=done", "upgrade", "head")
        assert case.query("SELECT COUNT(*) FROM m") == [(1,)]
    with workshop.case(insert + B, first=OF_MYISAM) as case:
        case.interrupt("INSERT INTO m", moment="before")
        case.complete("-x", "resume=again", "upgrade", "head")
        assert case.query("SELECT COUNT(*) FROM m") == [(1,)]


def test_a_table_that_leaves_its_engine_meanwhile(workshop: Workshop) -> None:
    change = (
        'op.execute("ALTER TABLE u ENGINE=MyISAM")\nop.execute("INSERT INTO u VALUES (1, 1)")\n'
    )
    with workshop.case(TIMES_TEN + change + B, first=TWO_TABLES) as case:
        case.interrupt("INSERT INTO u")
        assert "the server does not tell whether it took effect" in case.refused()


def test_a_table_of_another_engine_that_comes_from_what_fails(workshop: Workshop) -> None:
    body = "BEGIN CREATE TABLE n (id INT) ENGINE=MyISAM; SIGNAL SQLSTATE '45000'; END"
    first = TWO_TABLES + f'op.execute("CREATE PROCEDURE p() {body}")'
    call = "try:\n    op.execute('CALL p()')\nexcept sa.exc.DBAPIError:\n    pass\n"
    insert = 'op.execute("INSERT INTO n VALUES (1)")\n'
    with workshop.case(TIMES_TEN + call + insert + B, first=first) as case:
        case.interrupt("INSERT INTO n")
        assert "was interrupted at statement 3, and the server does not tell" in case.refused()


def test_a_procedure(workshop: Workshop) -> None:
    procedure = 'op.execute("CREATE PROCEDURE p() INSERT INTO t VALUES (5, 5)")'
    first = TWO_TABLES + procedure
    call = 'op.execute("CALL p()")\n'
    with workshop.case(call + DIE + B, first=first) as case:
        case.die()
        case.complete()
        assert case.query("SELECT COUNT(*) FROM t WHERE id = 5") == [(1,)]
    with workshop.case(call + B, first=first) as case:
        case.interrupt("CALL p()")
        assert "-x resume=done" in case.refused()


def test_a_new_value_in_a_statement_that_is_done(workshop: Workshop) -> None:
    """It stays what it was; what would point to it must not get another one."""
    value = "value = uuid.uuid4().int % 10**8\n"
    insert = 'op.execute(sa.text("INSERT INTO t VALUES (9, :v)").bindparams(v=value))\n'
    update = 'op.execute(sa.text("UPDATE t SET v = 0 WHERE v = :v").bindparams(v=value))\n'
    with workshop.case(value + insert + A + DIE + B) as case:
        case.die()
        case.complete()
        assert case.query("SELECT COUNT(*) FROM t WHERE id = 9") == [(1,)]
    with workshop.case(value + insert + A + DIE + update) as case:
        case.die()
        assert "a value that was another one in the interrupted run" in case.refused()
        case.edit(value + insert + A + 'op.execute("UPDATE t SET v = 0 WHERE id = 9")')
        assert "Put it back as it was" in case.refused()  # In another file it may mean anything.


def test_a_temporary_table(workshop: Workshop) -> None:
    create = 'op.execute("CREATE TEMPORARY TABLE x AS SELECT * FROM t")\n'
    drop = 'op.execute("DROP TEMPORARY TABLE x")\n'
    use = 'op.execute("UPDATE t JOIN x USING (id) SET t.v = x.v + 1")\n'
    with workshop.case(create + use + drop + A + DIE + B) as case:
        case.die()
        case.complete()
        assert case.query("SELECT v FROM t ORDER BY id") == [(2,), (3,)]
    with workshop.case(create + A + DIE + use) as case:
        case.die()
        assert "its temporary table ended with the interrupted run" in case.refused()


def test_the_cause_of_an_error_is_removed(workshop: Workshop) -> None:
    with workshop.case(A + 'op.execute("CREATE UNIQUE INDEX u ON t (v)")\n' + B) as case:
        case.execute("INSERT INTO t VALUES (3, 2)")
        assert "Duplicate entry" in case.run("upgrade", "head").output
        case.execute("DELETE FROM t WHERE id = 3")
        case.complete()


def test_what_others_change_is_not_taken_for_a_failed_statement(workshop: Workshop) -> None:
    with workshop.case(A + A + B) as case:
        assert "Duplicate column" in case.run("upgrade", "head").output
        case.edit(A + A.replace("a INT", "c INT") + B)
        case.execute("ALTER TABLE t COMMENT 'by hand'")
        case.complete()
        assert case.query("SELECT a, c, b FROM t WHERE id = 1") == [(None, None, None)]


def test_a_script_leaves_no_journal(workshop: Workshop) -> None:
    with workshop.case(A) as case:
        script = case.run("upgrade", "r1:r2", "--sql")
        assert script.code == 0
        assert "alembic_journal" not in script.output


def test_a_user_who_may_not_keep_the_journal(workshop: Workshop) -> None:
    with workshop.case(A) as case:
        case.execute("DROP TABLE alembic_journal")
        with case.user("SELECT", "INSERT", "UPDATE", "DELETE") as user:
            refusal = case.refused(user=user)
            assert refusal.startswith("The upgrade of r2 (")
            assert "CREATE command denied" in refusal
            assert "alembic_journal" in refusal


SWAP = 'op.execute("RENAME TABLE t TO x, u TO t, x TO u")\n'
PRIVILEGES = "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX"


def test_tables_that_look_the_same_are_swapped(workshop: Workshop) -> None:
    with workshop.case(SWAP + B, first=TWO_TABLES) as case:
        case.interrupt("RENAME TABLE")
        case.complete()
        assert case.query("SELECT id FROM u") == [(1,)]
    with workshop.case(SWAP + B, first=TWO_TABLES) as case:
        case.interrupt("RENAME TABLE", moment="before")
        case.complete()
        assert case.query("SELECT id FROM u") == [(1,)]


def test_they_are_swapped_by_a_user_who_is_not_told_which_is_which(workshop: Workshop) -> None:
    with (
        workshop.case(SWAP + B, first=TWO_TABLES) as case,
        case.user(*PRIVILEGES) as user,
    ):
        case.interrupt("RENAME TABLE", user=user)
        assert "the server does not tell whether it took effect" in case.refused(user=user)
        case.complete("-x", "resume=done", "upgrade", "head", user=user)
        assert case.query("SELECT id FROM u") == [(1,)]


def test_half_of_the_tables_are_dropped(workshop: Workshop) -> None:
    """As by MariaDB, which drops them one by one."""
    with workshop.case('op.execute("DROP TABLE t, u")\n', first=TWO_TABLES) as case:
        case.interrupt("DROP TABLE")
        case.execute("CREATE TABLE u (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
        case.complete()
        assert case.query("SHOW TABLES LIKE 'u'") == []


def test_a_block_of_statements(workshop: Workshop, database: str) -> None:
    """It begins with a word that otherwise says nothing."""
    if database == "mysql":
        pytest.skip("MySQL has none")
    block = """
op.execute("BEGIN NOT ATOMIC UPDATE t SET v = v * 10; UPDATE t SET v = v + 1; END")
op.execute("SET STATEMENT max_statement_time = 60 FOR UPDATE t SET v = v * 10")
op.execute("ANALYZE UPDATE t SET v = v + 1")
"""
    with workshop.case(block + A + DIE + B) as case:
        case.die()
        case.complete()
        assert case.query("SELECT v FROM t ORDER BY id") == [(111,), (211,)]


def test_what_a_savepoint_took_back_is_not_tried_again(workshop: Workshop) -> None:
    """It failed then, and would succeed now."""
    savepoint = """
with suppress(sa.exc.IntegrityError), op.get_bind().begin_nested():
    op.execute("INSERT INTO t VALUES (1, 5)")
op.execute("DELETE FROM t WHERE id = 1")
"""
    with workshop.case(savepoint + A + DIE + B) as case:
        case.die()
        case.complete()
        assert case.query("SELECT id, v FROM t") == [(2, 2)]
