"""Digests of what a statement is about: another one afterwards means that it took effect."""

import re
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


def _file_code(character: re.Match[str]) -> str:
    return f"@{ord(character[0]):04x}"


class Schema:
    def __init__(self, connection: Connection, wire: Wire) -> None:
        self._wire = wire
        is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        self._tables_of_innodb = "innodb_sys_tables" if is_mariadb else "innodb_tables"
        #: By schema, the tables of MyISAM, Aria and the like; None is the schema that is in use.
        self._others: dict[str | None, set[str]] = {}
        self._is_steady = wire.run("SELECT @@default_storage_engine") == [("InnoDB",)]

    def digest(self, statement: Statement) -> str:
        """Only of what it names: whatever else happens meanwhile changes nothing."""
        tables = self._tables(statement)
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
        named = {(None, word) for word in statement.words} | statement.pairs
        return any(table.lower() in self._of_other_engines(schema) for schema, table in named)

    def _of_other_engines(self, schema: str | None) -> set[str]:
        if schema not in self._others:
            rows = self._wire.run(
                "SELECT table_name FROM information_schema.tables WHERE engine <> 'InnoDB'"
                f" AND table_schema = {'DATABASE()' if schema is None else '%s'}",
                *([] if schema is None else [schema]),
            )
            self._others[schema] = {name.lower() for (name,) in rows}
        return self._others[schema]

    def forget(self, statement: Statement) -> None:
        """It is executed next: after it, also if it fails, tables may be of other engines."""
        self._is_steady = self._is_steady and not statement.may_change_engines
        if not self._is_steady:
            self._others.clear()

    def _tables(self, statement: Statement) -> list[Table]:
        """The tables and views that it may mean: whatever in it is the name of one."""
        names = statement.words | {word.lower() for word in statement.words}
        found = self._find("table_schema = DATABASE()", names)
        pairs = statement.pairs
        if pairs:
            schemas = self._wire.run(
                "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN %s",
                tuple({schema for schema, _ in pairs}),
            )
            for (schema,) in schemas:
                tables = {table for found_in, table in pairs if found_in == schema}
                found += self._find("table_schema = %s", tables, schema)
        return sorted(set(found))

    def _find(self, where: str, names: set[str], *schema: str) -> list[Table]:
        rows = self._wire.run(
            "SELECT table_schema, table_name, engine FROM information_schema.tables"
            f" WHERE {where} AND table_name IN %s",
            *schema,
            tuple(names),
        )
        return [Table(*row) for row in rows]

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
