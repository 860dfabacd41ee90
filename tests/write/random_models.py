"""Models with all that a table may have, made up by a program: see `random_changes.py`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

NUMBERS, TEXTS = ("{0} > -5", "{0} <> 13", "{0} BETWEEN -5 AND 9999"), ("{0} <> ", "{0} NOT LIKE ")
MYSQL = "mysql mariadb"


@dataclass(frozen=True)
class Kind:
    """A type: its defaults, conditions of its values, and what it may become."""

    defaults: str = ""
    conditions: tuple[str, ...] = ()
    #: Every value stays what it is.
    wider: str = ""
    #: On rows it may fail.
    other: str = ""
    databases: str = "sqlite postgresql mysql mariadb"


NUMBER = replace(Kind("'7' '0' sa.text('7')", NUMBERS), other="sa.String(40) sa.Integer")
TEXT = Kind("", TEXTS, "sa.String(40) sa.Text", "sa.String(3)")
KINDS = {
    "sa.SmallInteger": replace(NUMBER, wider="sa.Integer sa.BigInteger sa.Numeric(20,2)"),
    "sa.Integer": replace(NUMBER, wider="sa.BigInteger sa.Numeric(20,2)", other="sa.SmallInteger"),
    "sa.BigInteger": NUMBER,
    "sa.Numeric(6,2)": replace(NUMBER, wider="sa.Numeric(20,2)"),
    "sa.Numeric(20,2)": NUMBER,
    "sa.Float": NUMBER,
    "sa.Boolean": Kind("sa.true() sa.false()"),
    "sa.String(3)": replace(TEXT, wider="sa.String(20) sa.String(40) sa.Text"),
    "sa.String(20)": TEXT,
    "sa.String(40)": replace(TEXT, wider="sa.Text", other="sa.String(20)"),
    "sa.Text": replace(TEXT, wider="", databases="sqlite postgresql"),
    "sa.Date": Kind("'2020-01-01'", wider="sa.DateTime"),
    "sa.DateTime": Kind("sa.func.now() '2020-01-01'", other="sa.Date"),
    "sa.DateTime(timezone=True)": Kind("sa.func.now()", other="sa.DateTime"),
    "sa.Time": Kind(),
    "sa.Interval": Kind(),
    "sa.LargeBinary": Kind(),
    "sa.JSON": Kind(),
    "sa.Uuid": Kind(),
    "sa.ARRAY(sa.Integer)": Kind("'{}' sa.text(\"'{1}'\")", databases="postgresql"),
    "sa.dialects.postgresql.JSONB": Kind("'{\"a\":1}'", databases="postgresql"),
    "sa.dialects.postgresql.INET": Kind("'::1'", databases="postgresql"),
    "sa.dialects.postgresql.INT4RANGE": Kind("'empty'", databases="postgresql"),
    "sa.dialects.postgresql.TIMESTAMP(precision=3)": Kind(
        wider="sa.DateTime", databases="postgresql"
    ),
    "sa.dialects.mysql.TINYINT": replace(NUMBER, databases=MYSQL, wider="sa.Integer"),
    "sa.dialects.mysql.INTEGER(unsigned=True)": replace(
        NUMBER, databases=MYSQL, wider="sa.BigInteger"
    ),
    "sa.dialects.mysql.MEDIUMTEXT": Kind(databases=MYSQL),
    "sa.dialects.mysql.SET('a','b')": Kind("'a' 'a,b'", databases=MYSQL),
    "sa.dialects.mysql.DATETIME(fsp=6)": Kind(databases=MYSQL),
}


@dataclass
class Column:
    type: str
    options: dict[str, str] = field(default_factory=dict)
    #: Of an enum.
    values: list[str] = field(default_factory=list)
    collation: str = ""
    #: An expression, with the column that it is computed from.
    computed: str = ""
    of: str = ""

    @property
    def kind(self) -> Kind:
        return KINDS.get(self.type, Kind())

    @property
    def is_plain(self) -> bool:
        return not self.values and not self.computed and "primary_key" not in self.options

    def __str__(self) -> str:
        kind = self.type
        if self.values:
            kind = kind.format(", ".join(map(repr, self.values)))
        if self.collation:
            kind = kind.replace(")", f", collation={self.collation!r})")
        return kind


@dataclass
class Item:
    """A constraint or an index of columns; its SQL has them in braces."""

    form: str
    columns: list[str]
    sql: str = ""
    options: dict[str, str] = field(default_factory=dict)
    #: What a foreign key refers to.
    target: str = ""
    targets: list[str] = field(default_factory=list)


@dataclass
class Table:
    columns: dict[str, Column] = field(default_factory=dict)
    #: By the names that the models give them.
    items: dict[str, Item] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> list[str]:
        return [name for name, each in self.columns.items() if "primary_key" in each.options]

    def refers_by(self, column: str) -> bool:
        items = self.items.values()
        return any(item.form == "reference" and column in item.columns for item in items)

    def computes_with(self, column: str) -> bool:
        return any(each.of == column for each in self.columns.values())

    def leave_out(self, unwanted: Callable[[Item], bool]) -> None:
        self.items = {name: item for name, item in self.items.items() if not unwanted(item)}


Models = dict[str, Table]


def written(models: Models, database: str) -> dict[str, str]:
    """In Python, the arguments of each table."""
    return {name: ", ".join(_parts(table, database)) for name, table in models.items()}


def _parts(table: Table, database: str) -> Iterator[str]:
    for key, column in table.columns.items():
        computed = f"sa.Computed({_sql(column.computed, [column.of], database)!r}, persisted=True)"
        words = [repr(key), str(column), *([computed] if column.computed else [])]
        yield f"sa.Column({', '.join([*words, *_options(column.options)])})"
    for key, item in table.items.items():
        yield _item_text(key, item, database)
    yield from _options(table.options)


def _item_text(name: str, item: Item, database: str) -> str:
    sql, columns = _sql(item.sql, item.columns, database), ", ".join(map(repr, item.columns))
    options = _options(item.options)
    match item.form:
        case "check":
            return f"sa.CheckConstraint({sql!r}, name={name!r})"
        case "unique":
            return f"sa.UniqueConstraint({columns}, name={name!r})"
        case "exclude":
            return f"sa.dialects.postgresql.ExcludeConstraint(({columns}, {item.sql!r}), name={name!r})"
        case "reference":
            targets = [f"{item.target}.{key}" for key in item.targets]
            words = [f"[{columns}], {targets!r}, name={name!r}", *options]
            return f"sa.ForeignKeyConstraint({', '.join(words)})"
        case "partial":
            where = f"sa.text({sql!r})"
            return f"sa.Index({name!r}, {columns}, postgresql_where={where}, sqlite_where={where})"
        case "expression" | "descending":
            return f"sa.Index({name!r}, sa.text({sql!r}))"
    return f"sa.Index({name!r}, {columns})"


def _sql(template: str, columns: list[str], database: str) -> str:
    """As text() reads it."""
    quote = "`" if database in MYSQL.split() else '"'
    for column in columns[:1]:
        template = template.replace("{0}", f"{quote}{column}{quote}")
    return re.sub(r":(?=\w)", r"\\:", template)


def _options(options: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in options.items()]
