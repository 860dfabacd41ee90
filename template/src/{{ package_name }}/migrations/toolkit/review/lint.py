"""`db lint`: what is dangerous in migrations, and the safe way to write it."""

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from ..git import Git, find
from ..history import digest_of, digests
from ..scripts import read_scripts
from .changes import Change
from .compat import Models, models_at
from .review import Reviews, finding_of, review
from .rules import Finding
from .source import Source


def lint(config: Config, since: str | None, *, as_json: bool, github: bool) -> None:
    """Exit code 1 if there are findings."""
    scripts = read_scripts(config)
    chosen = {script.revision for script in scripts.walk_revisions()}
    models: Models = {}
    edited: list[Finding] = []
    if since is not None:
        git = Git(scripts)
        chosen -= git.revisions(since)
        models = models_at(since, git) if chosen else {}
        edited = list(_edited(scripts, git, since))
    reviewed = review(config, chosen, are_one_release=since is not None, models=models)
    reviewed.edited = edited
    if as_json:
        found = [finding._asdict() for finding in reviewed.findings]
        config.print_stdout("%s", json.dumps(found, indent=2))
    elif github or os.environ.get("GITHUB_ACTIONS") == "true":
        repository = find(scripts)
        root = repository.root if repository else Path.cwd()
        for finding in reviewed.findings:
            config.print_stdout("%s", _annotation(finding, root))
    else:
        config.print_stdout("%s", "\n".join(_lines(reviewed, since)))
    if reviewed.findings:
        raise SystemExit(1)


def _edited(scripts: ScriptDirectory, git: Git, since: str) -> Iterator[Finding]:
    """A database that has run one does not run it again."""
    before = git.edited(since)
    for script in scripts.walk_revisions():
        text = before.get(Path(script.path).resolve())
        if text and _was_read(text) and digest_of(text) not in digests(script):
            change = Change("edits-migration", "", f"does something else than in {since}")
            if finding := finding_of(script, Source(script.path), 1, change):
                yield finding


def _was_read(text: str) -> bool:
    """Else nobody has run it."""
    try:
        return bool(ast.parse(text))
    except SyntaxError:
        return False


def shown(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.file}:{finding.line}: {finding.code}: {finding.message}"
        yield f"    Safe: {finding.safe_way}"


def _lines(reviewed: Reviews, since: str | None) -> Iterator[str]:
    yield from shown(reviewed.findings)
    count, found = len(reviewed.migrations), len(reviewed.findings)
    where = f"{count} migration{'' if count == 1 else 's'}{f' since {since}' if since else ''}"
    if found:
        yield f"{found} finding{'' if found == 1 else 's'} in {where}. What is meant as it is, say so"
        yield "in the file, beside the statement or above it: # safe: <code> <reason>"
    else:
        yield f"Nothing found in {where}."
    if since and count:
        yield f"The models of {since} {reviewed.works} on the new schema."


def _annotation(finding: Finding, root: Path) -> str:
    """For GitHub, which shows it beside the line, and looks for files from the repository's root."""
    file = os.path.relpath(Path(finding.file).resolve(), root.resolve())
    place = f"file={_escaped(file)},line={finding.line},title={_escaped(finding.code)}"
    text = f"{finding.message} Safe: {finding.safe_way}"
    return f"::warning {place}::{text.replace('%', '%25').replace(chr(10), '%0A')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
