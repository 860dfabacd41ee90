"""What a statement is, as far as the journal must know. No grammar of SQL: words are enough."""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

NAME = r"(?:`(?:[^`]|``)+`|[\w$]+)"
#: Of a longer one that is about rows, the beginning and a digest are kept.
MAX_LENGTH = 10_000

_QUOTED = r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|`[^`]*`"""
# What stands in an executable comment, /*!50003 so */, counts.
_BETWEEN = r"(?:/\*M?!\d*|\*/|/\*.*?\*/|--(?=\s|$)[^\n]*|\#[^\n]*|\s)+"
_TOKEN = re.compile(f"({_QUOTED})|{_BETWEEN}", re.DOTALL)


class Kind(Enum):
    """How a statement is run, so that a later run knows what became of it."""

    #: Changes nothing but its own transaction.
    READ = auto()
    #: Changes rows, which its own transaction commits.
    WRITE = auto()
    #: Commits, and its effect can be seen, or twice does no harm.
    DEFINE = auto()
    #: Nobody can see whether it took effect: known only when it was answered.
    OPAQUE = auto()
    #: Is about the session, so that each session needs it again; not numbered.
    SESSION = auto()
    #: Would lock out the journal, or undo a part of the migration.
    REFUSED = auto()


_WORDS = {
    Kind.READ: "SELECT SHOW DESC DESCRIBE EXPLAIN WITH VALUES TABLE CHECKSUM CHECK",
    Kind.WRITE: "INSERT UPDATE DELETE REPLACE LOAD DO",
    Kind.DEFINE: "CREATE ALTER DROP RENAME TRUNCATE"
    " ANALYZE OPTIMIZE REPAIR GRANT REVOKE FLUSH",  # twice does no harm
    Kind.SESSION: "SET SAVEPOINT RELEASE ROLLBACK COMMIT START BEGIN UNLOCK PREPARE DEALLOCATE",
}
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}

_OUTSIDE = r"USER|ROLE|SERVER|(UNDO )?TABLESPACE|LOGFILE|INSTANCE|RESOURCE"
# These come first: their first word alone misleads.
_EXCEPTIONS = [
    (r"(LOCK TABLES?|XA)\b", Kind.REFUSED),
    (r"ROLLBACK\b(?! (WORK )?TO\b)", Kind.REFUSED),
    # No implicit commit.
    (r"(CREATE|DROP) (OR REPLACE )?TEMPORARY\b", Kind.WRITE),
    (r"DROP PREPARE\b", Kind.SESSION),
    # Outside any schema that could be looked at.
    (rf"(CREATE|ALTER|DROP|RENAME) (OR REPLACE )?({_OUTSIDE})\b", Kind.OPAQUE),
    (r"SELECT .*\bINTO (OUTFILE|DUMPFILE)\b", Kind.OPAQUE),
    (r"WITH .*\) ?(UPDATE|DELETE|INSERT|REPLACE)\b", Kind.WRITE),
    # MariaDB: a block of statements, and a statement that is executed to be analysed.
    (r"BEGIN (?!WORK$)", Kind.OPAQUE),
    (r"ANALYZE (?!TABLE|LOCAL|NO_WRITE_TO_BINLOG)", Kind.OPAQUE),
    # A variable whose value may be another one the next time.
    (r"SET .*(?<!@)@(?!@).*(\(|\bCURRENT_)", Kind.READ),
]

_FLAGS = re.IGNORECASE | re.DOTALL
_REPEATABLE = re.compile(r"CREATE OR REPLACE\b|(CREATE|DROP) \w+ IF\b", _FLAGS)
_EXCHANGE = r"ALTER\b.*\bEXCHANGE PARTITION\b"
_SWAPS = re.compile(rf"RENAME\b.*,|{_EXCHANGE}", _FLAGS)
_HIDDEN = re.compile(rf"TRUNCATE\b|RENAME\b|ALTER\b.*\bTRUNCATE PARTITION\b|{_EXCHANGE}", _FLAGS)
_SAME_TABLES = re.compile(
    r"(CREATE|DROP) (OR REPLACE )?(\w+ )?INDEX\b|ALTER\b(?!.*\b(RENAME|ENGINE|CONVERT)\b)", _FLAGS
)
_DROPS_SCHEMA = re.compile(r"DROP (DATABASE|SCHEMA)\b", _FLAGS)
_DROPS = re.compile(r"DROP (TABLES?|VIEW|SEQUENCE)\b(.*)", _FLAGS)
_ONE_STATEMENT = re.compile(r"SET STATEMENT .*? FOR (.*)", _FLAGS)
_PATH = rf"(?:{NAME} ?\. ?)?{NAME}"
_IF = r"(?:IF (?:NOT )?EXISTS )?"
_OBJECT = re.compile(
    rf"\b(TRIGGER|PROCEDURE|FUNCTION|EVENT|DATABASE|SCHEMA|PACKAGE(?: BODY)?) {_IF}({_PATH})",
    _FLAGS,
)
_TEMPORARY = re.compile(
    rf"(CREATE|DROP) (?:OR REPLACE )?TEMPORARY TABLES? {_IF}({_PATH}(?: ?, ?{_PATH})*)", _FLAGS
)


@dataclass(frozen=True)
class Statement:
    """Without comments, and with one space where there was any space outside quotes."""

    text: str

    @classmethod
    def parse(cls, sql: str) -> "Statement":
        return cls(_TOKEN.sub(lambda found: found[1] or " ", sql).strip(" ;"))

    @cached_property
    def essence(self) -> str:
        """Without the settings that MariaDB takes for one statement."""
        found = _ONE_STATEMENT.match(self.text)
        return found[1] if found else self.text.lstrip("( ")

    @cached_property
    def kind(self) -> Kind:
        for pattern, kind in _EXCEPTIONS:
            if re.match(pattern, self.essence, _FLAGS):
                return kind
        return _BY_WORD.get(re.split(r"\W", self.essence, maxsplit=1)[0].upper(), Kind.OPAQUE)

    @property
    def kept(self) -> str:
        """What the journal keeps and compares; of what it must look at again, all."""
        if self.kind is Kind.DEFINE or len(self.text) <= MAX_LENGTH:
            return self.text
        return f"{self.text[:1000]} ... {hashlib.sha256(self.text.encode()).hexdigest()}"

    @property
    def is_repeatable(self) -> bool:
        """Whether it was written to be run twice."""
        return bool(_REPEATABLE.match(self.essence))

    @property
    def is_hidden(self) -> bool:
        """Whether all definitions may be the same before and after it."""
        return bool(_HIDDEN.match(self.essence))

    @property
    def may_change_tables(self) -> bool:
        """Whether after it one that it names may be there, gone, or of another engine."""
        return self.kind is Kind.DEFINE and not _SAME_TABLES.match(self.essence)

    @property
    def may_change_any_table(self) -> bool:
        """The same of one that it does not name."""
        return self.kind is Kind.OPAQUE or bool(_DROPS_SCHEMA.match(self.essence))

    @property
    def swaps(self) -> bool:
        """Whether it is hidden, and twice is as good as never."""
        return bool(_SWAPS.match(self.essence))

    @property
    def waits_for_itself(self) -> bool:
        """Whether MariaDB lets it wait for locks of its own, unless it is executed by itself."""
        return bool(re.match(_EXCHANGE, self.essence, _FLAGS))

    @property
    def drops(self) -> str | None:
        """The same with IF EXISTS, of what MariaDB drops one by one."""
        found = _DROPS.match(self.essence)
        return f"DROP {found[1]} IF EXISTS{found[2]}" if found else None

    @property
    def words(self) -> set[str]:
        """Everything in it that may be the name of a table."""
        return {_unquoted(word) for word in re.findall(NAME, self.kept)}

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """Everything in it that may be `schema.table`."""
        found = re.findall(rf"({NAME}) ?\. ?({NAME})", self.kept)
        return {(_unquoted(schema), _unquoted(table)) for schema, table in found}

    @property
    def objects(self) -> list[tuple[str, str]]:
        """What is no table, for SHOW CREATE: the kind, and the name as it stands there."""
        return [(kind.upper(), name) for kind, name in _OBJECT.findall(self.kept)]

    @property
    def variables(self) -> list[str]:
        """The user's own; neither the server's, as @@sql_mode, nor a host, as in `root`@`%`."""
        return sorted(set(re.findall(r"(?<![@\w`'\"])@(?:`[^`]+`|[\w$]+)", self.text)))

    @property
    def temporary_tables(self) -> tuple[str, set[str]] | None:
        """CREATE or DROP, and the names."""
        found = _TEMPORARY.match(self.essence)
        return (found[1].upper(), Statement(found[2]).words) if found else None


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
