"""Digests of what a statement is about: another one afterwards means that it took effect."""

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from . import values
from .statements import Statement
from .wire import Wire, is_answer

#: At the end of a digest: definitions alone cannot tell, and the server does not tell more.
UNSURE = "?"


class Table(NamedTuple):
    schema: str
    name: str
    #: None: a view.
    engine: str | None

    @property
    def quoted(self) -> str:
        return ".".join(f"`{part.replace('`', '``')}`" for part in self[:2])

    @property
    def in_innodb(self) -> str:
        """As InnoDB spells it; it has codes of its own for some letters: those are not found."""
        spelled = (re.sub(r"[^\w]", _file_code, part, flags=re.ASCII) for part in self[:2])
        return "/".join(spelled)


#: By name.
Tables = dict[str, tuple[Table, ...]]


def _spelled(names: Iterable[str]) -> set[str]:
    """Where the server keeps names in small letters, a statement may have large ones."""
    return {spelled for name in names for spelled in (name, name.lower())}


def _file_code(character: re.Match[str]) -> str:
    return f"@{ord(character[0]):04x}"


class Schema:
    def __init__(self, connection: Connection, wire: Wire) -> None:
        self._wire = wire
        is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        self._tables_of_innodb = "innodb_sys_tables" if is_mariadb else "innodb_tables"
        #: Whether `T` and `t` may both be names of tables, and a statement that says `t` names one.
        self._is_exact = not is_mariadb and wire.run("SELECT @@lower_case_table_names") == [(0,)]
        #: By schema and name, what there is: to ask for it takes long. None is the schema in use.
        self._known: dict[str | None, Tables] = {}
        #: Names of which it is to be asked again.
        self._doubtful: set[str] = set()

    def digest(self, statement: Statement) -> str:
        """Only of what it names: whatever else happens meanwhile changes nothing."""
        tables = sorted(self._tables(statement))
        seen: list[Any] = [(table, self.show("TABLE", table.quoted)) for table in tables]
        seen += [(*found, self.show(*found)) for found in statement.objects]
        mark = ""
        if statement.is_hidden:
            identities = [self._identity(table) for table in tables]
            mark = "" if all(identities) else UNSURE
            seen += identities
        return values.digest(values.dump(seen))[: 64 - len(mark)] + mark

    def show(self, kind: str, name: str) -> str:
        """The definition, or the number of the error that says that there is none."""
        try:
            rows = self._wire.run(f"SHOW CREATE {kind} {name}")
        except self._wire.errors.Error as error:
            if not is_answer(error):
                raise
            return str(error.args[0])
        return re.sub(r" AUTO_INCREMENT=\d+", "", values.dump(rows))

    def writes_outside_transactions(self, statement: Statement) -> bool:
        """Whether it names a table of another engine than InnoDB."""
        return any(table.engine not in {"InnoDB", None} for table in self._tables(statement))

    def forget(self, statement: Statement) -> None:
        """It is executed next: after it, also if it fails, there may be other tables."""
        if statement.may_change_any_table:
            self._known.clear()
        elif statement.may_change_tables:
            self._known = {None: self._known[None]} if None in self._known else {}
            self._doubtful |= statement.words

    def _tables(self, statement: Statement) -> set[Table]:
        """The tables and views that it may mean: whatever in it is the name of one."""
        found = self._in_use(statement.words)
        for schema, name in statement.pairs:
            found |= self._in(schema, {name})
        return found

    def _in_use(self, names: Iterable[str]) -> set[Table]:
        if None in self._known and self._doubtful:
            found = self._find(None, _spelled(self._doubtful))
            gone = dict.fromkeys(map(self._key, _spelled(self._doubtful)), ())
            self._known[None] |= gone | found
        self._doubtful.clear()
        return self._in(None, names)

    def _in(self, schema: str | None, names: Iterable[str]) -> set[Table]:
        if schema not in self._known:
            self._known[schema] = self._find(schema)
        known = self._known[schema]
        return {table for name in _spelled(names) for table in known.get(self._key(name), ())}

    def _key(self, name: str) -> str:
        return name if self._is_exact else name.lower()

    def _find(self, schema: str | None, names: Collection[str] = ()) -> Tables:
        rows = self._wire.run(
            "SELECT table_schema, table_name, engine FROM information_schema.tables"
            f" WHERE table_schema = {'DATABASE()' if schema is None else '%s'}"
            f"{' AND table_name IN %s' if names else ''}",
            *([] if schema is None else [schema]),
            *([tuple(names)] if names else []),
        )
        found: Tables = {}
        for row in rows:
            table = Table(*row)
            found[self._key(table.name)] = (*found.get(self._key(table.name), ()), table)
        return found

    def _identity(self, table: Table) -> Any:
        """InnoDB's numbers of the table and its partitions; nothing when it does not tell."""
        name = table.in_innodb
        try:
            return self._wire.run(
                f"SELECT name, table_id FROM information_schema.{self._tables_of_innodb}"
                " WHERE name = %s OR LEFT(name, %s) = %s ORDER BY name",
                name,
                len(name) + 3,
                f"{name}#p#",
            )
        except self._wire.errors.Error as error:
            if not is_answer(error):
                raise
            return None  # It needs the PROCESS privilege.
