"""The file of a migration: what it imports, whether there is a way back, what it says is safe."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from ..history import is_docstring
from .changes import Change

PACKAGE = __name__.partition(".")[0]
#: There may be several in one comment, and another one before; a reason has letters.
SAFE = re.compile(r"#\s*safe:\s*([\w-]+)\W*((?:(?!#\s*safe:).)*)")
#: It cannot be undone, and may be run again.
REPEATABLE = "ADD VALUE IF NOT EXISTS"


class Source:
    def __init__(self, path: str) -> None:
        text = Path(path).read_text(encoding="utf-8")
        self._text = [line.strip() for line in text.splitlines()]
        self._tree = ast.parse(text)
        nodes = [node for node in ast.walk(self._tree) if isinstance(node, ast.stmt)]
        self._imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        # Those in functions.
        self._statements = [node for node in nodes if node.col_offset]
        #: Code, reason, and the lines that it is about.
        self._safe = [
            (code, reason, self._lines(token))
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
            for code, reason in SAFE.findall(token.string)
        ]

    def reasons(self, code: str, line: int) -> list[str]:
        """Why it is safe, in each comment that says so; empty where none is given."""
        return [reason for each, reason, lines in self._safe if each == code and line in lines]

    def line_of(self, name: str) -> int:
        """Of a function."""
        function = self._function(name)
        return function.lineno if function else 1

    def around(self, line: int) -> set[int]:
        """It, and where a `with` begins that it is in: there a batch operation is carried out."""
        blocks = (node for node in self._statements if isinstance(node, ast.With))
        return {line, *(node.lineno for node in blocks if line in _lines(node))}

    def changes(self) -> Iterator[tuple[int, Change]]:
        for node in self._imports:
            for module in _imported(node):
                if module.partition(".")[0] == PACKAGE and ".migrations." not in f"{module}.":
                    what = f"imports {module}, which later releases change"
                    yield node.lineno, Change("imports-application", "", what)
        if _is_empty(self._function("downgrade")) and not _is_empty(self._function("upgrade")):
            yield self.line_of("downgrade"), Change("no-downgrade", "", "does not undo upgrade()")

    def _lines(self, comment: tokenize.TokenInfo) -> range:
        """Those of the statement beside it or right below it; elsewhere it is about the file."""
        line = comment.start[0]
        below = line
        while comment.line.lstrip().startswith("#") and self._text[below - 1].startswith("#"):
            below += 1
        begin = [node for node in self._statements if node.lineno == below]
        around = [node for node in self._statements if line in _lines(node)]
        return min(map(_lines, begin or around), key=len, default=range(1, len(self._text) + 1))

    def _function(self, name: str) -> ast.FunctionDef | None:
        functions = (node for node in self._tree.body if isinstance(node, ast.FunctionDef))
        return next((node for node in functions if node.name == name), None)


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""]


def _is_empty(function: ast.FunctionDef | None) -> bool:
    """Nothing but `pass`, a docstring or `...`, or what need not be undone."""
    return function is None or all(
        isinstance(node, ast.Pass) or is_docstring(node) or REPEATABLE in ast.unparse(node)
        for node in function.body
    )
