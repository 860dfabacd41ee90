"""A frozen snapshot of the working tree, tagged as the newest release, with the earlier ones."""

import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Newer than every release, so that the newest version is the working tree.
SNAPSHOT = "v9999.0.0"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout.strip()


def releases() -> dict[str, str]:
    """The commit of each released version, oldest first."""
    found: dict[str, str] = tomllib.loads((ROOT / "releases.toml").read_text())
    return found


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def take_snapshot(folder: Path) -> None:
    """Clone with history, tag the releases, then lay uncommitted and untracked files over it."""
    git(ROOT, "clone", "--quiet", "--no-hardlinks", "--no-tags", str(ROOT), str(folder))
    for version, released in releases().items():
        git(folder, "tag", f"v{version}", released)
    git(folder, "rm", "--quiet", "-r", "--ignore-unmatch", ".")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    commit(folder, "The working tree")
    git(folder, "tag", SNAPSHOT)
    # Every rendering clones it: one pack is quicker than hundreds of objects.
    git(folder, "gc", "--quiet")
