"""Migrations run in a throw-away database, and are looked at while they do: what rules find in them."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from textwrap import shorten
from traceback import extract_tb

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .... import driver
from ..config import alembic_config
from ..connection import LENGTH, connect
from ..schema.definitions import other_schemas
from ..scripts import read_scripts
from ..throwaway import database_alike, explained, run_step
from . import server
from .changes import Change, of_operation
from .compat import Break, Models, Shapes, breaks, shapes
from .recording import Recording, Statement, recorded
from .rules import RULES, Finding
from .source import Source
from .sql import of_sql


@dataclass
class Review:
    """Of one migration."""

    script: Script
    statements: list[Statement]
    findings: list[Finding]
    #: What is there after it.
    shapes: Shapes
    failed: bool

    @property
    def file(self) -> str:
        return os.path.relpath(self.script.path)


@dataclass
class Reviews:
    migrations: list[Review] = field(default_factory=list)
    #: What code that was written for the schema before would run into, with the migrations.
    breaks: list[Break] = field(default_factory=list)
    #: Migrations of before that are not what they were.
    edited: list[Finding] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(review.failed for review in self.migrations)

    @property
    def works(self) -> str:
        """Whether that code does."""
        if self.failed:
            return "may not work"
        return "would not work" if self.breaks else "would work"

    @property
    def findings(self) -> list[Finding]:
        new = [finding for review in self.migrations for finding in review.findings]
        return [*self.edited, *new]


def review(
    config: Config, chosen: Collection[str], *, are_one_release: bool, models: Models
) -> Reviews:
    """The chosen revisions; a table that nobody uses yet may be changed in any way.

    Those of one release are applied together, so nobody uses what the first of them has made.
    """
    if not chosen:
        return Reviews()
    scripts = read_scripts(config)
    oldest_first = list(scripts.walk_revisions())[::-1]
    new = [script for script in oldest_first if script.revision in chosen]
    with (
        database_alike(config) as url,
        connect(driver.create_migration_engine(url)) as connection,
    ):
        elsewhere = alembic_config(connection.engine.url)
        elsewhere.attributes["connection"] = connection
        reviewer = Reviewer(elsewhere, connection, scripts, are_one_release)
        # In the order of the history, but for those of one release, which come last.
        order = sorted(oldest_first, key=new.__contains__) if are_one_release else oldest_first
        reviewed = reviewer.run(order, new)
    if are_one_release and not reviewed.failed:
        _add_breaks(reviewed, reviewer.before, models)
    return reviewed


@dataclass
class Reviewer:
    config: Config
    connection: Connection
    scripts: ScriptDirectory
    are_one_release: bool
    #: The tables that are used, as `_named` has them.
    tables: set[str] = field(default_factory=set)
    before: Shapes = field(default_factory=dict)

    def run(self, order: list[Script], new: list[Script]) -> Reviews:
        reviewed = Reviews()
        tracer: server.Tracer | None = None
        for script in order:
            if script not in new:
                with explained():
                    run_step(self.config, self.scripts, script, "upgrade")
                continue
            tracer = tracer or server.Tracer(self.connection)
            if not (self.are_one_release and reviewed.migrations):
                self._begin(tracer)
            reviewed.migrations.append(self._review(script, tracer))
            if reviewed.migrations[-1].failed:
                break  # What comes after builds upon it.
        return reviewed

    def _begin(self, tracer: server.Tracer) -> None:
        """What is there now is used."""
        self.tables = {table.casefold() for table in tracer.begin(self.connection)} | {""}
        if self.are_one_release:
            self.before = shapes(self.connection)
        self.connection.rollback()

    def _review(self, script: Script, tracer: server.Tracer) -> Review:
        source, path = Source(script.path), str(script.module.__file__)
        failure: tuple[int, Change] | None = None
        with recorded(self.connection, path, tracer.after) as recording:
            try:
                run_step(self.config, self.scripts, script, "upgrade")
            except Exception as error:  # noqa: BLE001
                failure = _failure(error, path, source)
        found = [*source.changes(), *self._found(recording, source)]
        if failure:
            found.append(failure)
        findings = [finding_of(script, source, line, change) for line, change in sorted(set(found))]
        left = [each for each in findings if each]
        # Of the whole schema, which takes longer than the migration: only for what is compared.
        after = shapes(self.connection) if self.before else {}
        self.connection.rollback()
        return Review(script, recording.statements, left, after, failed=failure is not None)

    def _found(self, recording: Recording, source: Source) -> Iterator[tuple[int, Change]]:
        costs: dict[int, list[Statement]] = {}
        for statement in recording.statements:
            if statement.cost.code:
                costs.setdefault(statement.line, []).append(statement)
        accounted: set[int] = set()
        schemas = other_schemas(self.connection)
        if any("search_path" in each.sql for each in recording.statements):
            # A name alone may be in any of them.
            self.tables |= {table.rpartition(".")[2] for table in self.tables}
        for line, change in self._changes(recording):
            if _named(change.table, schemas) not in self.tables or change.code not in RULES:
                continue
            around = source.around(line)
            accounted |= around
            if change.new_name:
                self.tables.add(_named(change.new_name, schemas))
            if change.code not in server.ASKED or around & costs.keys():
                yield line, change
        for line, statements in costs.items():
            for statement in statements if line not in accounted else ():
                yield line, _of_cost(statement)
        yield from server.of_recording(recording)

    def _changes(self, recording: Recording) -> Iterator[tuple[int, Change]]:
        """What people and operations have written, but for what is written in the safe way."""
        empty = recording.empty_columns
        for noted in recording.operations:
            for change in of_operation(noted.operation) if noted.origin != "safe_ops" else ():
                is_empty = any((change.table, column) in empty for column in change.columns)
                if not is_empty or change.code in server.ALSO_ON_EMPTY:
                    yield noted.line, change
        for statement in recording.statements:
            if statement.origin == "sql":
                yield from ((statement.line, change) for change in of_sql(statement.sql))


def _named(table: str, schemas: Collection[str]) -> str:
    """Without the default schema, which may be said as well; in SQL case often makes no difference."""
    schema, _, name = table.rpartition(".")
    return (table if schema in schemas else name).casefold()


def _of_cost(statement: Statement) -> Change:
    cost = statement.cost
    code = str(cost.code)
    about = cost.rewrites or cost.scans or tuple(table for _, table in cost.locks)
    does = {"scans-table": "reads all rows", "blocks-writes": "keeps others from writing"}
    what = does.get(code, "writes all rows anew")
    return Change(code, "", f"{what} ({', '.join(about)}) in `{shorten(statement.sql, 100)}`")


def _failure(error: Exception, path: str, source: Source) -> tuple[int, Change]:
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == path]
    line = (lines[-1] if lines else None) or source.line_of("upgrade")
    if isinstance(error, DBAPIError):
        reason = driver.reason(error)
    else:
        reason = shorten(str(error) or type(error).__name__, LENGTH)
    return line, Change("fails", "", f"fails on tables without rows: {reason}")


def finding_of(script: Script, source: Source, line: int, change: Change) -> Finding | None:
    """Unless the file says that it is safe, and why."""
    reasons = source.reasons(change.code, line)
    if any(reasons):
        return None
    message = f"{change.what[:1].upper()}{change.what[1:].rstrip('.')}."
    if reasons:
        message += f" `# safe: {change.code}` is there, but gives no reason."
    file = os.path.relpath(script.path)
    return Finding(change.code, script.revision, file, line, message, RULES[change.code])


def _add_breaks(reviewed: Reviews, before: Shapes, models: Models) -> None:
    """Each at the migration that has brought it, unless one after it has mended it."""
    left = set(breaks(before, reviewed.migrations[-1].shapes, models))
    reviewed.breaks = sorted(left)
    for review in reviewed.migrations:
        source = Source(review.script.path)
        here = left.intersection(breaks(before, review.shapes, models))
        left -= here
        for each in sorted(here):
            what = f"breaks code of the release before: {each.what}"
            line = _line_of(each, review.statements) or source.line_of("upgrade")
            change = Change("breaks-previous-release", each.table, what)
            if finding := finding_of(review.script, source, line, change):
                review.findings.append(finding)
        review.findings.sort(key=lambda finding: finding.line)


def _line_of(broken: Break, statements: list[Statement]) -> int | None:
    table = re.compile(rf"(?<![\w.]){re.escape(broken.table)}(?!\w)")
    named = [
        statement
        for statement in statements
        if statement.is_shown
        and broken.column in statement.sql
        # It may be quoted, and one of another schema have its name.
        and table.search(re.sub('["`]', "", statement.sql))
    ]
    exact = [each for each in named if all(word in each.sql for word in broken.words)]
    return next((each.line for each in exact or named), None)
