"""Any text or address reads back as it was, or is refused by a sentence and writes nothing."""

import email
import tomllib
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.metadata.spec import construct_metadata_file_2_4
from hatchling.plugin.manager import PluginManager
from markdown_it import MarkdownIt

from .questionnaire import Questionnaire

TEXTS = [
    'He said "hi"',
    "it's",
    '"',
    "'''",
    '"""',
    "\\",
    "C:\\new\\table",
    'a\\"b',
    "\\u0041 \\x00 \\N{DASH}",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# gone #}",
    "{{",
    "${{ secrets.TOKEN }}",
    "${HOME} $HOME $$",
    "$(id)",
    "`id`",
    "%(here)s %s %",
    "{0} {name}",
    "#1",
    "a # b #",
    "a: b",
    "- a",
    "? a",
    "* a",
    "+ a",
    "&a *a",
    "!a",
    "| a",
    "> a",
    "@a",
    "[a]",
    "{a: b}",
    "a, b",
    "1. one",
    "1) one",
    "**bold** _x_ ~~y~~",
    "[x](y) ![i](j)",
    "<!-- c --> <b>&amp;</b>",
    "</script>",
    "| a | b |",
    "===",
    "---",
    "...",
    "=1+1",
    "yes",
    "null",
    "~",
    "1.0",
    "0x10",
    "2026-11-24",
    "--help",
    "; DROP TABLE users; --",
    "../../etc/passwd",
    "café e\u0301",
    "日本語",
    "שלום עולם",
    "مرحبا بالعالم",
    "👨‍👩‍👧 😀",
    "𝔘𝔫𝔦",
    "a\u00a0b\u200bc\u00add",
    "a  b   c",
    "x" * 100,
    ("lorem ipsum dolor " * 6)[:99],
    "\U0010fffd",
]

LINE = "One line of printable text"
SPACES = "No spaces at the start or the end"
REFUSED_TEXTS = [
    (" a", SPACES),
    ("a ", SPACES),
    ("   ", SPACES),
    ("\u00a0a", SPACES),
    ("a\u3000", SPACES),
    ("a\tb", LINE),
    ("a\n", LINE),
    ("a\nb", LINE),
    ("a\rb", LINE),
    ("a\x00b", LINE),
    ("a\x07b", LINE),
    ("\x1b[31m", LINE),
    ("a\x7fb", LINE),
    ("a\x85b", LINE),
    ("a\u2028b", LINE),
    ("a\u2029b", LINE),
    ("\ufeffa", LINE),
    ("a\u202eb", LINE),
    ("a\u2066b", LINE),
    ("a\ufffeb", LINE),
    ("a\uffff", LINE),
    ("a\ud83d", LINE),
    ("a\udcffb", LINE),
    ("x" * 501, "characters: this has 501"),
]

ADDRESSES = [
    "",
    "a@b.co",
    "o'brien@example.org",
    "first.last+tag@mail.example.co.uk",
    "{{x}}@example.org",
    "${x}@example.org",
    "#a@example.org",
    "%a@example.org",
    "a&b=c?d|e@example.org",
    "`id`@example.org",
    "yes@1.com",
    "~@x-y.org",
]
REFUSED_ADDRESSES = [
    "a",
    "@",
    "@b.co",
    "a@",
    "a@b",
    "a@b.",
    "a@.co",
    "a@b..co",
    "a@-b.co",
    "a@b-.co",
    ".a@b.co",
    "a.@b.co",
    "a..b@c.co",
    "a@b@c.co",
    "a b@c.co",
    "a@b .co",
    " a@b.co",
    "a@b.co ",
    "a@b.co\n",
    "\na@b.co",
    "a@b.co\nBcc: c@d.co",
    "a@b.co, c@d.co",
    "a@b.co;c@d.co",
    "A <a@b.co>",
    "<a@b.co>",
    '"a"@b.co',
    "a(b)@c.co",
    "a\\b@c.co",
    "a:b@c.co",
    "a[b]@c.co",
    "a@[127.0.0.1]",
    "a@b_c.co",
    "mailto:a@b.co",
    "ä@b.co",
    "a@ä.co",
    "a@日本.jp",
    "😀@b.co",
    "a\u200b@b.co",
    "a\u202e@b.co",
    "a\x00@b.co",
    "a\t@b.co",
    "a\x7f@b.co",
    "a\ud800@b.co",
    "a@" + "b" * 64 + ".co",
    "a" * 250 + "@b.co",
]


@pytest.mark.parametrize("place", range(len(TEXTS)), ids=[ascii(text)[:30] for text in TEXTS])
def test_free_text_reads_back(questionnaire: Questionnaire, tmp_path: Path, place: int) -> None:
    answers = {
        "project_name": TEXTS[place],
        "description": TEXTS[place - 1],
        "author_name": TEXTS[place - 2],
        "author_email": ADDRESSES[place % len(ADDRESSES)],
    }
    project = questionnaire.copy(tmp_path / "project", license="MIT", **answers)
    assert_reads_back(project, answers)


def test_a_description_may_have_500_characters(
    questionnaire: Questionnaire, tmp_path: Path
) -> None:
    answers = {
        "project_name": "A",
        "description": ("\\\"'#: é😀" * 63)[:500],
        "author_name": "",
        "author_email": "",
    }
    assert_reads_back(questionnaire.copy(tmp_path / "project", **answers), answers)


@pytest.mark.parametrize("question", ["project_name", "description", "author_name"])
@pytest.mark.parametrize(("text", "sentence"), REFUSED_TEXTS)
def test_free_text_is_refused(
    questionnaire: Questionnaire, tmp_path: Path, question: str, text: str, sentence: str
) -> None:
    assert sentence in questionnaire.refusal(tmp_path / "project", **{question: text})


@pytest.mark.parametrize("question", ["project_name", "description"])
def test_an_empty_text_is_refused(
    questionnaire: Questionnaire, tmp_path: Path, question: str
) -> None:
    assert "cannot be empty" in questionnaire.refusal(tmp_path / "project", **{question: ""})


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_is_refused(questionnaire: Questionnaire, address: str) -> None:
    assert questionnaire.complaint("author_email", address).startswith("Like me@example.org:")


def assert_reads_back(project: Path, answers: dict[str, str]) -> None:
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers.items() <= recorded.items()
    assert readme(project)[:2] == [answers["project_name"], answers["description"]]
    assert answers["author_name"] in (project / "LICENSE").read_text(encoding="utf-8")
    author = {"name": answers["author_name"], "email": answers["author_email"]}
    author = {key: value for key, value in author.items() if value}
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert declared["name"] == recorded["project_slug"]
    assert declared["description"] == answers["description"]
    assert declared.get("authors", []) == ([author] if author else [])
    installed = wheel_metadata(project)
    assert installed["Summary"] == answers["description"]
    if author.get("email"):
        written = Address(author.get("name", ""), addr_spec=author["email"])
        assert installed["Author-Email"] == str(written)


def readme(project: Path) -> list[str]:
    """The text of each heading and paragraph, as a reader of the rendered README sees it."""
    tokens = MarkdownIt().parse((project / "README.md").read_text(encoding="utf-8"))
    lines = [token.children or [] for token in tokens if token.type == "inline"]
    return [
        "".join(part.content if part.type == "text" else f"<{part.type}>" for part in line)
        for line in lines
    ]


def wheel_metadata(project: Path) -> Any:
    """What `importlib.metadata` reads of the installed project."""
    metadata = ProjectMetadata(str(project), PluginManager())
    return email.message_from_string(construct_metadata_file_2_4(metadata))
