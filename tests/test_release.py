"""`make release`: what is released is checked, written down, and never something else later."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .template import ROOT, commit, git, releases

CHANGES = "# Changelog\n\n## Unreleased\n\n### {kind}\n\n- Something.\n"
FIRST = "# Changelog\n\n## Unreleased\n\n### Added\n\n- Everything.\n"


@dataclass
class Template:
    """A repository that is released."""

    path: Path

    def release(self, version: str, make: str = "true") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "scripts/release.py", version],
            cwd=self.path,
            env={**os.environ, "MAKE": make},
            capture_output=True,
            text=True,
            check=False,
        )

    def change(self, kind: str) -> None:
        before = self.read("CHANGELOG.md").partition("\n\n")[2]
        (self.path / "CHANGELOG.md").write_text(CHANGES.format(kind=kind) + f"\n{before}")
        commit(self.path, "Change something")

    def read(self, name: str) -> str:
        return (self.path / name).read_text()


@pytest.fixture
def own(tmp_path: Path) -> Template:
    repository = Template(tmp_path / "own")
    (repository.path / "scripts").mkdir(parents=True)
    script = (ROOT / "scripts" / "release.py").read_text()
    (repository.path / "scripts" / "release.py").write_text(script)
    (repository.path / "CHANGELOG.md").write_text(FIRST)
    (repository.path / "releases.toml").write_text("# Releases.\n")
    git(repository.path, "init", "--quiet", "--initial-branch", "main")
    commit(repository.path, "Begin")
    return repository


def test_a_release(own: Template) -> None:
    done = own.release("0.1.0")
    assert done.returncode == 0, done.stderr
    assert "git push --atomic origin main v0.1.0" in done.stdout
    assert f"## 0.1.0 - {datetime.now(UTC):%Y-%m-%d}\n" in own.read("CHANGELOG.md")
    assert "Unreleased" not in own.read("CHANGELOG.md")
    released = git(own.path, "rev-parse", "v0.1.0^{commit}")
    assert tomllib.loads(own.read("releases.toml")) == {"0.1.0": released}
    assert git(own.path, "rev-parse", "HEAD~1") == released
    assert git(own.path, "status", "--porcelain") == ""

    own.change("Added")
    assert own.release("0.2.0").returncode == 0
    assert list(tomllib.loads(own.read("releases.toml"))) == ["0.1.0", "0.2.0"]
    assert own.read("CHANGELOG.md").count("\n## ") == 2


@pytest.mark.parametrize(
    ("last", "kind", "allowed"),
    [
        ("0.1.0", "Fixed", "0.1.1 or 0.2.0 or 1.0.0"),
        ("0.1.0", "Added", "0.2.0 or 1.0.0"),
        ("0.1.0", "Removed", "0.2.0 or 1.0.0"),
        ("1.4.2", "Security", "1.4.3 or 1.5.0 or 2.0.0"),
        ("1.4.2", "Changed", "1.5.0 or 2.0.0"),
        ("1.4.2", "Removed", "2.0.0"),
    ],
)
def test_which_version_follows(own: Template, last: str, kind: str, allowed: str) -> None:
    (own.path / "releases.toml").write_text(f'"{last}" = "0"\n')
    own.change(kind)
    done = own.release(last)
    assert done.returncode == 1
    assert done.stderr == f"{last} does not follow {last}, with these changes: make it {allowed}.\n"


def test_what_is_not_ready(own: Template) -> None:
    before = git(own.path, "rev-parse", "HEAD")

    def refused(version: str = "0.1.0", make: str = "true") -> str:
        done = own.release(version, make)
        assert done.returncode == 1
        assert git(own.path, "rev-parse", "HEAD") == before
        assert git(own.path, "tag") == ""
        return done.stderr

    assert refused("v0.1.0") == "'v0.1.0' is no version: write it as 1.2.0.\n"
    assert refused("0.3.0").endswith(
        "does not follow nothing, with these changes: make it 0.1.0.\n"
    )
    assert "`false check test` has failed" in refused(make="false")
    (own.path / "untracked").touch()
    assert refused().startswith("Commit first, what is released is what was committed:\n?? untr")
    (own.path / "untracked").unlink()
    git(own.path, "switch", "--quiet", "--create", "other")
    assert refused() == "This is other: releases are made on main.\n"


def test_nothing_has_changed(own: Template) -> None:
    assert own.release("0.1.0").returncode == 0
    done = own.release("0.1.1")
    assert done.returncode == 1
    assert done.stderr.startswith("CHANGELOG.md says nothing below `## Unreleased`")


def test_the_manifest_tells_what_was_released() -> None:
    """Each commit is in the history, is where its tag is, and has its heading."""
    for version, released in releases().items():
        git(ROOT, "merge-base", "--is-ancestor", released, "HEAD")
        assert git(ROOT, "tag", "--list", f"v{version}", "--format=%(*objectname)") in {
            "",
            released,
        }
        changes = git(ROOT, "show", f"{released}:CHANGELOG.md").partition("\n## ")[2] + "\n"
        heading = changes.splitlines()[0]
        assert heading.startswith(f"{version} - ")
        # What it changed is not told anew.
        assert (ROOT / "CHANGELOG.md").read_text().endswith(changes)
        assert version not in git(ROOT, "show", f"{released}:releases.toml").replace("#", "")
