"""`make release version=1.2.0`: check, write the changelog and the manifest, tag.

Nothing is pushed. What was pushed is never made again: projects follow it.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
MANIFEST = ROOT / "releases.toml"
MAKE = os.environ.get("MAKE", "make")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
#: A release that does nothing else may raise the last number only.
MENDING = {"Fixed", "Security"}


class StoppedError(Exception):
    """Why there is no release."""


def main() -> None:
    parser = argparse.ArgumentParser("release.py", description="Release the template.")
    parser.add_argument("version", help="as in 1.2.0")
    version = parser.parse_args().version
    try:
        refuse_what_is_not_ready()
        refuse_version(version, unreleased())
        run(MAKE, "check", "test")
        release(version)
    except StoppedError as error:
        sys.exit(str(error))
    print(f"Released {version}. Publish it with `git push --atomic origin main v{version}`.")


def refuse_what_is_not_ready() -> None:
    if changed := git("status", "--porcelain"):
        raise StoppedError(f"Commit first, what is released is what was committed:\n{changed}")
    if (branch := git("branch", "--show-current")) != "main":
        raise StoppedError(f"This is {branch or 'no branch'}: releases are made on main.")


def unreleased() -> str:
    found = UNRELEASED.search(CHANGELOG.read_text(encoding="utf-8"))
    if found is None or not found[1].strip():
        raise StoppedError(
            "CHANGELOG.md says nothing below `## Unreleased`: write there what changes for the"
            " owner of a project."
        )
    return found[1]


def refuse_version(version: str, changes: str) -> None:
    """SemVer, by what the changelog says: before 1.0.0 a minor version may break what was."""
    if not VERSION.fullmatch(version):
        raise StoppedError(f"{version!r} is no version: write it as 1.2.0.")
    last = next(reversed(releases()), None)
    allowed = following(last, set(re.findall(r"^### (\w+)", changes, re.MULTILINE)))
    if version not in allowed:
        raise StoppedError(
            f"{version} does not follow {last or 'nothing'}, with these changes:"
            f" make it {' or '.join(allowed)}."
        )


def following(last: str | None, kinds: set[str]) -> list[str]:
    if last is None:
        return ["0.1.0"]
    major, minor, patch = map(int, last.split("."))
    versions = [f"{major}.{minor + 1}.0", f"{major + 1}.0.0"]
    if kinds <= MENDING:
        versions.insert(0, f"{major}.{minor}.{patch + 1}")
    if "Removed" in kinds and major:
        return versions[-1:]
    return versions


def releases() -> dict[str, str]:
    """Each version and its commit, oldest first."""
    return tomllib.loads(MANIFEST.read_text(encoding="utf-8"))


def release(version: str) -> None:
    changes = CHANGELOG.read_text(encoding="utf-8")
    heading = f"## {version} - {datetime.now(UTC):%Y-%m-%d}"
    CHANGELOG.write_text(changes.replace("## Unreleased", heading, 1), encoding="utf-8")
    commit(f"Release {version}", CHANGELOG)
    git("tag", "--annotate", "--message", f"Release {version}", f"v{version}")
    with MANIFEST.open("a", encoding="utf-8") as rows:
        rows.write(f'"{version}" = "{git("rev-parse", "HEAD")}"\n')
    commit(f"Record release {version}", MANIFEST)


def commit(message: str, path: Path) -> None:
    git("commit", "--quiet", "--message", message, "--", str(path))


def run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise StoppedError(f"`{shlex.join(command)}` has failed, see above: nothing was released.")


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StoppedError(f"`{shlex.join(command)}` has failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
