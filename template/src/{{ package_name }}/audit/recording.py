"""Writes the entries, over the connection that makes the changes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import (
    Column,
    Connection,
    FromClause,
    Result,
    Table,
    UpdateBase,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.orm import Mapper, ORMExecuteState, Session
from structlog.contextvars import get_contextvars

from ..database import Base
from .models import AuditEntry

#: Longer keys and names are cut.
LENGTH = 255
#: Where a row keeps its old values while it is written.
OLD = __name__

#: By the names of attributes.
Values = dict[str, Any]


def install() -> None:
    event.listen(Base, "after_insert", _after_insert, propagate=True)
    event.listen(Base, "before_update", _before_update, propagate=True)
    event.listen(Base, "after_update", _after_update, propagate=True)
    event.listen(Base, "before_delete", _before_delete, propagate=True)
    event.listen(Base, "after_delete", _after_delete, propagate=True)
    event.listen(Session, "do_orm_execute", _around_statement)


def _after_insert(mapper: Mapper[Any], connection: Connection, row: Base) -> None:
    write = Write(mapper, connection, row)
    new = write.values(write.columns)
    write.record("insert", {name: {"new": new[name]} for name in new})


def _before_update(mapper: Mapper[Any], connection: Connection, row: Base) -> None:
    """What the application has replaced without reading it is read now."""
    write = Write(mapper, connection, row)
    histories = {name: write.state.attrs[name].history for name in write.columns}
    old = {name: history.deleted[0] for name, history in histories.items() if history.deleted}
    unread = [name for name, history in histories.items() if history.added and name not in old]
    write.state.info[OLD] = old | write.read(unread, write.state.identity or ())


def _after_update(mapper: Mapper[Any], connection: Connection, row: Base) -> None:
    write = Write(mapper, connection, row)
    old = write.state.info.pop(OLD)
    new = write.values(old)
    write.record("update", {name: {"old": old[name], "new": new[name]} for name in old})


def _before_delete(mapper: Mapper[Any], connection: Connection, row: Base) -> None:
    write = Write(mapper, connection, row)
    write.state.info[OLD] = write.values(write.columns)


def _after_delete(mapper: Mapper[Any], connection: Connection, row: Base) -> None:
    write = Write(mapper, connection, row)
    old = write.state.info.pop(OLD)
    write.record("delete", {name: {"old": old[name]} for name in old})


def _around_statement(execution: ORMExecuteState) -> Result[Any] | None:
    """One entry for an UPDATE with a WHERE and the like: which rows it meets is not known."""
    statement = execution.statement
    if not isinstance(statement, UpdateBase):
        return None
    result = execution.invoke_statement()
    connection = execution.session.connection(execution.bind_arguments)
    parameters = execution.parameters or {}
    changes: Values = {"rows": parameters}
    if isinstance(parameters, Mapping):
        compiled = statement.compile(dialect=connection.dialect)
        changes = {"statement": str(compiled), "parameters": {**compiled.params, **parameters}}
    if not all(map(_is_shown, statement.table.columns)):
        changes = {name: changes[name] for name in changes if name == "statement"}
    action = "insert" if execution.is_insert else "update" if execution.is_update else "delete"
    _record(connection, action, statement.table, changes)
    return result


class Write:
    """Of one row, before it or after it."""

    def __init__(self, mapper: Mapper[Any], connection: Connection, row: Base) -> None:
        self.state = inspect(row)
        columns = {each.key: each.columns[0] for each in mapper.column_attrs}
        #: By the names of their attributes, without what is computed when it is read.
        self.columns = {
            name: column for name, column in columns.items() if isinstance(column, Column)
        }
        self._mapper = mapper
        self._connection = connection
        self._key = mapper.primary_key_from_instance(row)

    def values(self, names: Iterable[str]) -> Values:
        """As the row has them, and what only the database knows."""
        known = {name: self.state.dict[name] for name in names if name in self.state.dict}
        return known | self.read([name for name in names if name not in known], self._key)

    def read(self, names: Sequence[str], key: Sequence[Any]) -> Values:
        if not names:
            return {}
        parts = zip(self._mapper.primary_key, key, strict=True)
        columns = [self.columns[name].label(name) for name in names]
        query = select(*columns).select_from(self._mapper.persist_selectable)
        found = self._connection.execute(query.where(*(part == value for part, value in parts)))
        return dict(found.mappings().one())

    def record(self, action: str, changes: Values) -> None:
        shown = {
            self.columns[name].name: change if _is_shown(self.columns[name]) else {}
            for name, change in changes.items()
        }
        if shown:
            row_id = ",".join(map(str, self._key))
            _record(self._connection, action, self._mapper.local_table, shown, row_id)


def _record(
    connection: Connection,
    action: str,
    table: FromClause,
    changes: Values,
    row_id: str | None = None,
) -> None:
    if not isinstance(table, Table) or table.metadata is not Base.metadata or not _is_shown(table):
        return
    context = get_contextvars()
    plain = to_jsonable_python(changes, bytes_mode="base64", inf_nan_mode="strings", fallback=str)
    entry = insert(AuditEntry).values(
        action=action,
        table_name=str(table),
        row_id=_cut(row_id),
        changes=plain,
        request_id=_cut(context.get("request_id")),
        actor=_cut(context.get("actor")),
    )
    connection.execute(entry)


def _is_shown(part: Any) -> bool:
    return part.info.get("audit") is not False


def _cut(text: Any) -> str | None:
    return None if text is None else str(text)[:LENGTH]
