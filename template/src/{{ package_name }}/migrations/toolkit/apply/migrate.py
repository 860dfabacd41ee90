"""A command that changes the database: it looks, takes its turn, looks again, and runs."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, to_tuple
from sqlalchemy import Connection, MetaData

from .... import DISTRIBUTION
from ....driver import TRANSACTIONAL_DDL
from .. import history, invocation
from ..progress import Progress
from ..refusal import NESTED, RefusedError, RollbackRefusedError, incomplete
from ..status import listed, skipped, status, unmanaged_tables
from ..whereabouts import advice, completion, located, origins
from . import loss, server

logger = logging.getLogger(__name__)

Step = RevisionStep | StampStep
Find = Callable[[tuple[str, ...], MigrationContext], Iterable[Step]]

RELATIVE = re.compile(r"(.+@)?[+-]\d+")
#: From wherever the database is, and of no branch.
STEPS = re.compile(r"([+-])\d+")


@dataclass(frozen=True)
class Patience:
    """In seconds: for a turn or a lock in all, and for one attempt to get a lock."""

    wait: float
    lock_timeout: float


def leaving_once(find: Find) -> Find:
    """To stamp several, Alembic leaves all places of the database for each, also where one of them is."""

    @wraps(find)
    def found(heads: tuple[str, ...], ctx: MigrationContext) -> list[Step]:
        steps = list(find(heads, ctx))
        if stamps := [each for each in steps if isinstance(each, StampStep) and each.to_]:
            _leave_once(stamps, cast(ScriptDirectory, ctx.script), ctx.opts["destination_rev"])
        return steps

    return found


def _leave_once(steps: list[StampStep], script: ScriptDirectory, places: Sequence[str]) -> None:
    revisions = script.revision_map
    last = revisions._filter_into_branch_heads(revisions.get_revisions(places))
    done = {each.revision for each in last if isinstance(each, Script)}
    for step in steps:
        step.from_ = tuple(each for each in step.from_ if each not in done)
        done.update(step.from_)
        if not step.from_:
            step.is_upgrade = step.branch_move = True


class Plan:
    """The steps of a command, found when it begins, before it waits for its turn.

    A relative target is meant from where the database is then. When it has moved by the time the
    turn comes, another process has done what was asked for, or something else.
    """

    def __init__(
        self, looking: MigrationContext, progress: Progress, consent: loss.Consent
    ) -> None:
        self._progress = progress
        self._consent = consent
        self._find = looking.opts["fn"]
        #: `upgrade`, `downgrade` or, of Alembic's `do_stamp`, `stamp`.
        self._command = str(self._find.__name__).removeprefix("do_")
        self.is_upgrade = self._command == "upgrade"
        self.is_stamp = self._command == "stamp"
        self._target = looking.opts["destination_rev"]
        self._script = cast(ScriptDirectory, looking.script)
        self._purges = looking.purge
        heads = () if self._purges else looking.get_current_heads()
        self._find_steps(heads, looking)
        self.is_empty = not self._steps and not self._purges
        #: What to apply instead, if it was asked for on a command line.
        self.script = self._script_instead(heads, cast(Connection, looking.connection))

    def __call__(self, heads: tuple[str, ...], migrating: MigrationContext) -> list[Step]:
        """For Alembic, which calls it each time it begins: what is left to do."""
        place = set(heads)
        if place not in self._places:
            if isinstance(self._target, str) and RELATIVE.fullmatch(self._target):
                raise CommandError(self._refusal(heads))
            self._find_steps(heads, migrating)
            if not self._steps:
                logger.info("Nothing is left to do: another process has done it meanwhile.")
        done = self._places.index(place)
        del self._places[done + 1 :]
        return self._steps[done:]

    def applied(self, *, heads: set[str], **_: Any) -> None:
        """For `on_version_apply`."""
        self._places.append(set(heads))

    def step(self, place: Iterable[str] | None = None) -> Step | None:
        """The one under way, or that has to follow a place where a commit has left the database."""
        here = set(self._places[-1] if place is None else place)
        done = self._places.index(here if here in self._places else self._places[-1])
        return self._steps[done] if done < len(self._steps) else None

    @property
    def command(self) -> str:
        """What was asked for, as `db` has it."""
        return self._line(self._command, *(["--purge"] if self._purges else []))

    @property
    def place(self) -> str:
        return shown(self._places[-1])

    def _find_steps(self, heads: tuple[str, ...], looking: MigrationContext) -> None:
        self._steps: list[Step] = []
        if self.knows(heads):
            self._steps += self._find_way(heads, looking)
        else:
            self._see_how_far_beyond(cast(Connection, looking.connection))
        if self._steps and not self.is_stamp:
            scripts = [cast(Script, step.info.up_revision) for step in self._steps]
            connection = cast(Connection, looking.connection)
            self._refuse_another(scripts[0].revision, connection)
            if not self.is_upgrade:
                self._consent.check(scripts, connection, self._target)
        for step in self._steps:
            self._let_server_prepare(step)
        # Where the database is before the first step, and then after each.
        self._places = [set(heads)]

    def _refuse_another(self, revision: str, connection: Connection) -> None:
        """Before anybody is asked what it would lose: the server would refuse it afterwards."""
        begun = server.unfinished(connection)
        if begun is None or begun == revision or invocation.given_last("resume") == "restart":
            return
        found = status(connection, self._script)
        if found.is_of_later_release:
            raise RefusedError(
                f"Migration {begun} was begun and not completed, and this release does not have it."
                f" Nothing was done: {completion(begun, self._script)}."
            )
        before = self._script.get_revision(begun)._all_down_revisions
        if begun in found.pending and (new := sorted({*before}.intersection(found.pending))):
            raise CommandError(
                f"The upgrade of {begun} was interrupted, and {listed(new)} was put before it since."
                f" Nothing was done: let {begun} follow what it followed then (`down_revision`),"
                " complete it, and put the other behind it."
            )
        raise incomplete("upgrade" if begun in found.pending else "downgrade", begun)

    def _script_instead(self, heads: tuple[str, ...], connection: Connection) -> str | None:
        if not hasattr(context.config.cmd_opts, "cmd"):
            return None
        start = ",".join(sorted(heads)) or "base"
        targets = [f"{start}:{target}" for target in to_tuple(self._target, default=())]
        # Of a purge Alembic writes none.
        command = self._line(self._command, "--sql", target=targets)
        return server.script_instead(connection, heads, command)

    def _find_way(self, heads: tuple[str, ...], looking: MigrationContext) -> list[Step]:
        if len(heads) > 1 and STEPS.fullmatch(str(self._target)):
            raise self._ambiguity(heads, [f"{head}@{self._target}" for head in sorted(heads)])
        try:
            return list(self._find(heads, looking))
        except RefusedError:
            raise
        except CommandError as error:
            if fork := self._fork(heads):
                raise self._ambiguity(heads, sorted(fork)) from None
            what = located(error, self._script).rstrip(".")
        except (AssertionError, AttributeError) as error:  # Of Alembic's, or no such function.
            why = f" ({error})" if str(error) else ""
            what = f"There is no way from {shown(heads)} to {self._target!r}{why}"
        raise CommandError(
            f"{what}. Nothing was done: the database is at {shown(heads)}, and"
            f" `{DISTRIBUTION} db history` lists the migrations."
        )

    def _fork(self, heads: tuple[str, ...]) -> Collection[str]:
        """Where so many steps, up or down, can go more than one way."""
        steps = STEPS.fullmatch(str(self._target))
        if steps is None:
            return ()
        is_up = steps[1] == "+"
        places: Collection[str] = heads or (self._script.get_bases() if is_up else ())
        while len(places) == 1:
            script = self._script.get_revision(*places)
            places = script.nextrev if is_up else to_tuple(script.down_revision, default=())
        return places

    def _ambiguity(self, heads: tuple[str, ...], targets: list[str]) -> CommandError:
        command = self._line(self._command, target=targets[0])
        return CommandError(
            f"{self._target} may mean more than one way from {shown(heads)}, where the database is:"
            f" {' or '.join(targets)}. Nothing was done: say which, as in `{command}`."
        )

    def knows(self, revisions: Iterable[str]) -> bool:
        """Whether this release has them all."""
        unknown = set(revisions).difference(self._script.get_heads())
        if not unknown:
            return True
        return unknown <= {each.revision for each in self._script.walk_revisions()}

    def tell_of_skipped(self, connection: Connection) -> None:
        """What was put before a migration that the database has, no upgrade will run."""
        if not self.is_upgrade:
            return
        if revisions := skipped(self._places[-1], history.applied(connection), self._script):
            logger.warning(
                "The database is at %s, and has not run what comes before that: %s. `%s db status`"
                " says what to do.",
                *(self.place, listed(revisions), DISTRIBUTION),
            )

    def _see_how_far_beyond(self, connection: Connection) -> None:
        """A later release has migrated the database: there is nothing to do, or it cannot be done.

        Alembic finds no steps from where it does not know the place.
        """
        found, rows = status(connection, self._script), history.last_of_each(connection)
        place = "; ".join(origins(found.unknown, rows, self._script))
        if found.reason or not self.is_upgrade:
            what_to_do = advice(found.unknown, self._script)
            if self.is_stamp:
                what_to_do += f"; or forget it with `{self._line('stamp', '--purge')}`"
            raise CommandError(
                f"This release does not know the migration that the database is at: {place}."
                f" Nothing was done: {what_to_do}."
            )
        logger.info("A later release has migrated this database: it is at %s.", place)

    def _line(self, *words: str, target: str | Sequence[str] = "") -> str:
        lose = sorted(self._consent.names)
        return invocation.line(*words, *to_tuple(target or self._target, default=()), lose=lose)

    def _let_server_prepare(self, step: Step) -> None:
        migrate = step.migration_fn
        # The file may be changed before its turn comes, and what was loaded is what is run.
        history.digest(cast(Script, step.info.up_revision))

        @wraps(migrate)
        def prepared(**options: Any) -> None:
            number, count = len(self._places), len(self._steps)
            with self._progress.running(number, count, step):
                if self.is_stamp:
                    return  # It runs nothing.
                try:
                    with server.applying(context.get_context(), step.info):
                        migrate(**options)
                except RollbackRefusedError as refusal:
                    if refusal.reason is None:
                        raise
                    refusal.reason.add_note(NESTED)
                    raise refusal.reason from None

        step.migration_fn = prepared

    def _refusal(self, heads: tuple[str, ...]) -> str:
        return (
            f"{self._target} was meant from {self.place}, and another process has meanwhile"
            f" brought the database to {shown(heads)}. Nothing was done: see whether something"
            " is left to do."
        )


def shown(heads: Iterable[str]) -> str:
    return ", ".join(sorted(heads)) or "base"


def has_nothing_to_do(connection: Connection, plan: Plan) -> bool:
    """The place alone does not tell: a migration that was begun may have changed what is there."""
    if not plan.is_empty:
        return False
    revision = server.unfinished(connection)
    if revision is None:
        return True
    if plan.is_stamp:
        return False  # It is to be forgotten that it was begun.
    if not plan.knows([revision]):
        logger.warning("A later release has begun migration %s and not completed it.", revision)
        return True
    raise CommandError(
        f"There is nothing to do from {plan.place}, but migration {revision} was begun and not"
        " completed: run the command again that was interrupted, or put the database in order by"
        f" hand, and tell where it is with `{DISTRIBUTION} db stamp`."
    )


def refuse_unmanaged(connection: Connection, plan: Plan, models: Iterable[MetaData]) -> None:
    """Before anything is changed: the first migration would only say that a table is there."""
    if not plan.is_upgrade or plan.place != "base":
        return
    if invocation.ignores_other_tables(context.config):
        return
    elsewhere = (each for known in models for each in known.tables.values() if each.schema)
    if tables := unmanaged_tables(connection, elsewhere):
        raise CommandError(
            f"The database is at no migration, and has tables already: {listed(tables)}. Nothing"
            f" was changed. If they are this service's, run `{DISTRIBUTION} db baseline`, which finds"
            " the migration that they match; if they are somebody else's,"
            f" `{DISTRIBUTION} db -x other-tables=ignore upgrade`."
        )


def prepare(connection: Connection, patience: Patience) -> None:
    """For the first attempt, and whatever others follow it."""
    if not TRANSACTIONAL_DDL:
        with connection.begin():
            history.create_history(connection)
    resume = invocation.given_last("resume")
    server.prepare(context.get_context(), lock_timeout=patience.lock_timeout, resume=resume)


def attempt(connection: Connection, plan: Plan, recorder: history.Recorder) -> None:
    """Run what `context` is configured for."""
    recorder.begin()
    with context.begin_transaction():
        context.run_migrations()
        server.finish(connection, is_stamp=plan.is_stamp)
    connection.commit()
