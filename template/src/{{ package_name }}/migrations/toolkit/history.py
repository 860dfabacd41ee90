"""What Alembic's version table cannot tell: who applied what, when, how, and from which code."""

import ast
import getpass
import hashlib
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import to_tuple
from sqlalchemy.schema import CreateTable

from ... import DISTRIBUTION

HISTORY = sa.Table(
    "alembic_history",
    sa.MetaData(),
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        sa.Identity(),
        primary_key=True,
    ),
    sa.Column("revision", sa.String(255), nullable=False),
    # "upgrade" and "downgrade" ran the file; "stamp" and "unstamp" only said that it was.
    sa.Column("direction", sa.String(10), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    # Not known where a script made by `--sql` was applied by hand: seconds, host, applied_by.
    sa.Column("seconds", sa.Float()),
    sa.Column("release", sa.String(255)),
    sa.Column("host", sa.String(255)),
    sa.Column("applied_by", sa.String(255)),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
)
APPLIED = {"upgrade", "stamp"}

#: In no model; some only with some databases, or only for a while.
OWN_TABLES = {"alembic_version", HISTORY.name, "alembic_journal", "alembic_unfinished"}


class Recorder:
    """For `on_version_apply`, which runs in the transaction of the migration."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.steps = 0
        self.since = time.monotonic()

    def __call__(
        self, *, ctx: MigrationContext, step: MigrationInfo, heads: set[str], **_: Any
    ) -> None:
        changed = _changed(step, heads)
        if not self.steps:
            _create_history_within(ctx)
            changed[:0] = self._stamp_what_was_before(ctx, step, heads)
        now, insert = time.monotonic(), _insert(ctx.dialect.name)
        for direction, script in changed:
            row: dict[str, Any] = {
                "revision": script.revision,
                "direction": direction,
                "digest": digest(script),
            }
            if ctx.as_sql:
                ctx.execute(insert.values(row | {"release": self._origin["release"]}))
            else:
                row |= {"seconds": round(now - self.since, 3), **self._origin}
                cast(sa.Connection, ctx.connection).execute(insert, row)
        self.steps += 1
        self.since = time.monotonic()

    def _stamp_what_was_before(
        self, ctx: MigrationContext, step: MigrationInfo, heads: set[str]
    ) -> list[tuple[str, Script]]:
        """What others had applied, such as plain Alembic, when the history begins."""
        if ctx.as_sql:
            for script in reversed(_before(step, heads)):
                row = {"revision": script.revision, "release": self._origin["release"]}
                ctx.execute(_insert_unless_told(row, ctx.dialect.name))
            return []
        connection = cast(sa.Connection, ctx.connection)
        if connection.execute(sa.select(HISTORY.c.id).limit(1)).first():
            return []
        return [("stamp", script) for script in reversed(_before(step, heads))]

    @cached_property
    def _origin(self) -> dict[str, str | None]:
        """The same for all steps, and slow to find."""
        return {
            "release": _release(),
            "host": socket.gethostname(),
            "applied_by": _user(),
        }


def create_history(connection: sa.Connection) -> None:
    HISTORY.create(connection, checkfirst=True)


def _create_history_within(ctx: MigrationContext) -> None:
    """In the first migration's transaction, so that nothing stays of one that fails."""
    if ctx.as_sql:
        ctx.execute(CreateTable(HISTORY, if_not_exists=True))
    elif ctx.impl.transactional_ddl and ctx.connection is not None:
        create_history(ctx.connection)


def applied(connection: sa.Connection) -> set[str]:
    """The revisions of whatever release that were applied and not undone."""
    last = last_of_each(connection)
    return {revision for revision, row in last.items() if row.direction in APPLIED}


def edited(connection: sa.Connection, script: ScriptDirectory) -> tuple[str, ...]:
    """The revisions whose file does something else than when it was run; oldest first.

    One that was stamped afterwards is as it should be: somebody has said so.
    """
    last = last_of_each(connection)
    run = {revision: row for revision, row in last.items() if row.direction == "upgrade"}
    return tuple(
        found.revision
        for found in reversed(list(script.walk_revisions()))
        if (row := run.get(found.revision))
        # The others take as long again.
        and row.digest != digest(found)
        and row.digest not in digests(found)
    )


def digests(script: Script) -> set[str]:
    """Of the file, also as releases up to 0.8.0 made it, and of the one that it has taken the place of."""
    replaced = getattr(script.module, "replaces", {}).get(script.revision)
    before = digest_of(Path(script.path).read_bytes(), imports_count=True)
    return {digest(script), before, *to_tuple(replaced, default=())}


def last_of_each(connection: sa.Connection) -> dict[str, sa.Row[Any]]:
    """The last row of each revision."""
    return {row.revision: row for row in all_rows(connection)}


def all_rows(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """What was done, oldest first."""
    if not sa.inspect(connection).has_table(HISTORY.name):
        return []
    return connection.execute(sa.select(HISTORY).order_by(HISTORY.c.id)).all()


#: What is done with the imports of a file.
Arrange = Callable[[Iterable[Any]], Iterable[Any]]
Import = ast.Import | ast.ImportFrom
_DIGESTS: WeakKeyDictionary[Script, str] = WeakKeyDictionary()


def digest(script: Script) -> str:
    """Of the file as it was when it was asked for first: what is run was loaded before."""
    if script not in _DIGESTS:
        _DIGESTS[script] = digest_of(Path(script.path).read_bytes())
    return _DIGESTS[script]


def digest_of(source: str | bytes, *, imports_count: bool = False) -> str:
    """Of what it does: format, comments, its place in the history, `loses` and `risks` do not count.

    Neither the text nor its tokens would do, which a formatter changes, nor `ast.dump`, which is
    another one in each Python.
    """
    shape = _shape(ast.parse(source), list if imports_count else _in_order)
    return hashlib.sha256(repr(shape).encode()).hexdigest()


#: What a migration says of itself, and does not do.
DECLARATIONS = {"down_revision", "branch_labels", "depends_on", "loses", "replaces", "risks"}


def _in_order(nodes: Iterable[Any]) -> Iterator[Any]:
    """Those in a row as a formatter leaves them, so that one that it has sorted counts as it is."""
    for are_imports, row in groupby(nodes, _is_import):
        arrange: Arrange = _joined if are_imports else iter
        yield from arrange(row)


def _is_import(node: Any) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _joined(imports: Iterable[Import]) -> list[Import]:
    """A statement for each module, and for each other name that something is given."""
    found: dict[Any, set[tuple[str, str | None]]] = {}
    for each in imports:
        source = (each.module, each.level) if isinstance(each, ast.ImportFrom) else None
        for name in each.names:
            alone = (name.name, name.asname) if name.asname or not source else None
            found.setdefault((source, alone), set()).add((name.name, name.asname))
    joined: list[Import] = []
    for (source, _), names in found.items():
        aliases = [ast.alias(*each) for each in sorted(names, key=itemgetter(0))]
        joined += [ast.ImportFrom(source[0], aliases, source[1]) if source else ast.Import(aliases)]
    return sorted(joined, key=_place)


def _place(node: Import) -> tuple[int, bool, str, str, str]:
    """The standard library's first, then others', then the project's own."""
    is_from, first = isinstance(node, ast.ImportFrom), node.names[0]
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else first.name
    if isinstance(node, ast.ImportFrom) and node.level:
        section = 3
    else:
        section = 1 if module.partition(".")[0] in sys.stdlib_module_names else 2
    return section * (module != "__future__"), is_from, module, first.name, first.asname or ""


def _shape(node: Any, imports: Arrange) -> Any:
    if isinstance(node, list):
        counted = [each for each in node if not is_docstring(each) and not _is_declaration(each)]
        return [_shape(each, imports) for each in imports(counted)]
    if not isinstance(node, ast.AST):
        return node
    fields = [
        (name, _shape(value, imports)) for name, value in ast.iter_fields(node) if value is not None
    ]
    return type(node).__name__, [field for field in fields if field[1] != []]


def is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_declaration(node: Any) -> bool:
    targets: Sequence[ast.expr]
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    else:
        return False
    return all(isinstance(target, ast.Name) and target.id in DECLARATIONS for target in targets)


def _changed(step: MigrationInfo, heads: set[str]) -> list[tuple[str, Script]]:
    """A migration is about one revision, a stamp about all between the old place and the new."""
    if not step.is_stamp:
        direction = "upgrade" if step.is_upgrade else "downgrade"
        return [(direction, script) for script in _scripts(step.up_revisions)]
    before, after = _before(step, heads), _lineage(step.revision_map, heads)
    return [
        *(("unstamp", script) for script in before if script not in after),
        *(("stamp", script) for script in reversed(after) if script not in before),
    ]


def _before(step: MigrationInfo, heads: set[str]) -> list[Script]:
    others = heads.difference(step.destination_revision_ids)
    return _lineage(step.revision_map, others.union(step.source_revision_ids))


def _lineage(revisions: RevisionMap, heads: set[str]) -> list[Script]:
    """The heads, of which one may be below another, and everything below, newest first."""
    below = {each for head in heads for each in revisions.iterate_revisions(head, "base")}
    return _scripts(each for each in revisions.iterate_revisions("heads", "base") if each in below)


def _scripts(revisions: Iterable[Any]) -> list[Script]:
    return [revision for revision in revisions if isinstance(revision, Script)]


def _release() -> str:
    return os.environ.get("RELEASE") or version(DISTRIBUTION)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # A container may run under a number without a name.
        return None


@cache  # SQLAlchemy compiles it once.
def _insert(dialect: str) -> sa.Insert:
    return HISTORY.insert().inline().values(applied_at=_now(dialect))


def _insert_unless_told(row: dict[str, Any], dialect: str) -> sa.Insert:
    """For a script: unless the history tells of more than it has stamped itself."""
    told = sa.exists().where((HISTORY.c.direction != "stamp") | HISTORY.c.host.is_not(None))
    # What the file said then is not known.
    row = row | {"direction": "stamp", "digest": ""}
    values = [*map(sa.literal, row.values()), _now(dialect)]
    return HISTORY.insert().from_select([*row, "applied_at"], sa.select(*values).where(~told))


def _now(dialect: str) -> sa.Function[Any]:
    """The server's; MySQL's CURRENT_TIMESTAMP is in the time zone of whoever asks."""
    return sa.func.utc_timestamp() if dialect in {"mysql", "mariadb"} else sa.func.now()
