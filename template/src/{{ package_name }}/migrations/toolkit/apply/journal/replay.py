"""The flow: each statement of a migration runs and is journalled, or is answered from the journal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from alembic.util import CommandError
from sqlalchemy.engine.default import DefaultExecutionContext

from ..... import DISTRIBUTION
from ...refusal import NESTED, RollbackRefusedError
from . import outcome, values
from .entries import Entries, Entry, State, Step
from .schema import Schema
from .statements import Kind, Statement
from .verdict import can_be_judged
from .wire import Wire, is_answer


@dataclass(frozen=True)
class Execution:
    """A statement that SQLAlchemy is about to execute."""

    statement: Statement
    fingerprints: list[str]
    run: Callable[[], object]
    cursor: Any
    context: DefaultExecutionContext

    @property
    def shown(self) -> str:
        return self.statement.text[:300]


class Replay:
    """Of the upgrade or the downgrade of one revision."""

    def __init__(
        self,
        wire: Wire,
        schema: Schema,
        entries: Entries,
        step: Step,
        file: str,
        left: dict[int, Entry],
    ) -> None:
        self._wire = wire
        self._schema = schema
        self._entries = entries
        self._step = step
        self._file = file
        #: What an earlier run has left; its last statement may be unfinished.
        self._left = left
        self._last = max(left, default=0)
        self._number = 0
        #: The last definition that the server has answered with success.
        self.executed = 0
        #: Values that were other ones in the earlier run, and tables that ended with its session.
        self._strange: set[str] = set()
        self._lost_tables: set[str] = set()
        #: Written since a savepoint, if there is one.
        self._since_savepoint: list[Entry] | None = None
        self._refusal: CommandError | None = None
        #: Why nothing may be committed.
        self._unkept: CommandError | None = None

    def handle(self, execution: Execution) -> None:
        """Nothing more is executed after a refusal, whatever the migration makes of it."""
        if self._refusal is None:
            try:
                self._handle(execution)
            except CommandError as refusal:
                self._refusal = refusal
        self._raise_refusal()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around the migration's function."""
        try:
            yield
        finally:
            self._raise_refusal()
        self._finish()

    def _finish(self) -> None:
        """With the change of the version row, in one transaction."""
        for number, entry in self._left.items():
            was_executed = entry.state != State.FAILED and self._is_answered(entry)
            if number > self._number and was_executed:
                raise CommandError(self._changed(entry))
        if self._number or self._left:
            self._entries.clear()

    def before_commit(self) -> None:
        if self._unkept:
            self._refusal, self._unkept = self._unkept, None
            # SQLAlchemy takes a transaction for ended whose commit was refused.
            self._wire.run("ROLLBACK")
            raise self._refusal

    def before_rollback(self) -> None:
        """It cannot be prevented, but nothing is executed after it."""
        self._refusal = self._refusal or self._rolls_back("rollback()")

    def _raise_refusal(self) -> None:
        if self._refusal:
            raise self._refusal

    def _handle(self, execution: Execution) -> None:
        if execution.statement.kind is Kind.REFUSED:
            raise self._refused(execution.statement)
        if execution.statement.kind is Kind.SESSION:
            self._run_for_session(execution)
            return
        self._number += 1
        entry = self._left.get(self._number)
        if entry and self._is_answered(entry):
            self._answer(entry, execution)
        else:
            self._refuse_what_is_lost(execution)
            if self._number - 1 in self._left:
                self._entries.restore_last_insert_id(self._number - 1)
            self._execute(execution)

    def _is_answered(self, entry: Entry) -> bool:
        """Another one follows only when the answer has come."""
        return entry.state == State.DONE or entry.number < self._last

    def _run_for_session(self, execution: Execution) -> None:
        self._schema.forget(execution.statement)
        word = execution.statement.text.upper().split()[0]
        if word in {"COMMIT", "START", "BEGIN"}:
            self.before_commit()
        execution.run()
        if word == "SAVEPOINT" and self._since_savepoint is None:
            self._since_savepoint = []
        if word == "ROLLBACK":
            # It took the journal's rows back too, and the statements were executed nevertheless.
            for entry in self._since_savepoint or ():
                self._entries.write(entry)

    def _execute(self, execution: Execution) -> None:
        statement = execution.statement
        if statement.kind in {Kind.DEFINE, Kind.OPAQUE} or (
            statement.kind is Kind.WRITE and self._schema.writes_outside_transactions(statement)
        ):
            self._execute_alone(execution)
        else:
            self._execute_in_transaction(execution)

    def _execute_alone(self, execution: Execution) -> None:
        """With what is open the intent is committed, too, before it begins."""
        statement = execution.statement
        can_be_seen = statement.kind is Kind.DEFINE
        before = self._schema.digest(statement) if can_be_seen else None
        nothing = values.dump(outcome.NOTHING)
        intent = self._entry(execution, State.INTENT)._replace(
            schema_before=before, outcome=nothing
        )
        self._write(intent)
        # A definition commits what is open before it begins.
        self._commit(by_itself=can_be_seen)
        self._schema.forget(statement)
        try:
            with self._wire.autocommit() if statement.waits_for_itself else nullcontext():
                execution.run()
        except self._wire.errors.Error as error:
            if is_answer(error):
                self._note_failure(execution, intent, error)
            raise
        taken = self._take(execution)
        self.executed = self._number
        # Else it is as if its answer were lost, until another one follows: nothing to wait for.
        if taken != nothing or not can_be_judged(intent):
            self._write(intent._replace(state=State.DONE, outcome=taken))
            self._commit()

    def _note_failure(self, execution: Execution, intent: Entry, error: Exception) -> None:
        """A failure that has changed nothing is known to be one, whatever others change later."""
        with suppress(self._wire.errors.Error):
            before = intent.schema_before
            unchanged = before and self._schema.digest(execution.statement) == before
            state = State.FAILED if unchanged else State.INTENT
            given = values.dump(outcome.of_error(error))
            self._write(intent._replace(state=state, outcome=given))
            self._commit()

    def _execute_in_transaction(self, execution: Execution) -> None:
        autocommits = self._wire.autocommits
        if autocommits:
            self._wire.run("BEGIN")
        try:
            execution.run()
        except self._wire.errors.Error as error:
            if is_answer(error):
                with suppress(self._wire.errors.Error):
                    given = values.dump(outcome.of_error(error))
                    self._write(self._entry(execution, State.FAILED)._replace(outcome=given))
                    if autocommits:
                        self._commit()
            raise
        done = self._entry(execution, State.DONE)._replace(outcome=self._take(execution))
        self._write(done)
        if done.outcome == outcome.LOST:
            self._unkept = self._too_long(execution)
        if autocommits:
            self._commit()

    def _entry(self, execution: Execution, state: State) -> Entry:
        return Entry(
            self._number,
            self._step.direction,
            self._step.revision,
            state,
            self._file,
            execution.statement.kept,
            " ".join(execution.fingerprints),
        )

    def _write(self, entry: Entry) -> None:
        self._entries.write(entry)
        if self._since_savepoint is not None:
            self._since_savepoint.append(entry)

    def _commit(self, *, by_itself: bool = False) -> None:
        self.before_commit()
        if not by_itself:
            self._wire.commit()
        self._since_savepoint = None

    def _take(self, execution: Execution) -> str:
        variables = execution.statement.variables
        taken = outcome.take(execution.cursor, execution.context, variables, self._wire)
        return outcome.dump(taken, self._wire)

    def _answer(self, entry: Entry, execution: Execution) -> None:
        self._compare(entry, execution)
        self._note_temporary_tables(execution.statement)
        given = outcome.load(entry.outcome)
        if outcome.is_lost(given):
            raise self._refuse(execution, "the long result that it once gave is not known")
        variables = execution.statement.variables
        outcome.give(given, execution.cursor, execution.context, variables, self._wire)

    def _compare(self, entry: Entry, execution: Execution) -> None:
        """In the same file, a value may be another one: a new uuid, or the time."""
        before, now = entry.parameters.split(), execution.fingerprints
        may_differ = entry.file == self._file and not entry.parameters.startswith(values.SUMMARY)
        if entry.statement != execution.statement.kept or (before != now and not may_differ):
            raise CommandError(self._changed(entry))
        self._strange |= set(now) - {*before, values.NULL}

    def _note_temporary_tables(self, statement: Statement) -> None:
        if found := statement.temporary_tables:
            word, names = found
            if word == "CREATE":
                self._lost_tables |= names
            else:
                self._lost_tables -= names

    def _refuse_what_is_lost(self, execution: Execution) -> None:
        if self._lost_tables & execution.statement.words:
            raise self._refuse(execution, "its temporary table ended with the interrupted run")
        if self._strange & set(execution.fingerprints):
            raise CommandError(
                f"Statement {self._number} of the {self._step} has a value that was another one in"
                " the interrupted run: write it so that it is the same each time, or so that the"
                f" database finds it: {execution.shown}"
            )

    def _refuse(self, execution: Execution, why: str) -> CommandError:
        return CommandError(
            f"The {self._step} cannot be completed at statement {self._number}, because {why}."
            f" Complete it by hand, then tell with `{DISTRIBUTION} db stamp` where the database"
            f" is: {execution.shown}"
        )

    def _refused(self, statement: Statement) -> CommandError:
        if statement.essence.upper().startswith("ROLLBACK"):
            return self._rolls_back(statement.text)
        return CommandError(
            "LOCK TABLES and XA in a migration lock out the journal that makes migrations safe:"
            f" leave it out: {statement.text}"
        )

    def _rolls_back(self, what: str) -> CommandError:
        return RollbackRefusedError(
            f"The {self._step} says {what}, by which rows that it has written would be lost and the"
            f" migration recorded nevertheless: leave it out. {NESTED}"
        )

    def _too_long(self, execution: Execution) -> CommandError:
        return CommandError(
            f"Statement {self._number} of the {self._step} gives more rows than the journal can"
            " keep, and what follows would commit: read in parts (by key, with LIMIT), or put what"
            f" follows into a migration of its own: {execution.shown}"
        )

    def _changed(self, entry: Entry) -> str:
        why = "the file no longer has it so"
        if entry.file == self._file:
            why = "the same file says another one now, as from a set, whose order is left to chance"
        return (
            f"Statement {entry.number} of the {self._step} has been executed, and {why}. Put it"
            f" back as it was: {entry.statement[:300]}"
        )
