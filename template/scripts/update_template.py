"""`make update-template`: take over what the template has learned, as changes to be committed.

Whatever happens, the command that brings everything back is the last thing that it says; the first,
too, because a killed process says nothing.
"""

import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / ".copier-answers.yml"
CHANGES = ROOT / "TEMPLATE.md"
UV = os.environ.get("UV", "uv")
MAKE = os.environ.get("MAKE", "make")
COPIER = os.environ.get("COPIER", f"{UV} tool run --from 'copier>=9.19,<10' copier")
MARKERS = ("<<<<<<< before updating", ">>>>>>> after updating")


KEPT = """
Its migrations that you have taken over stay, and so do their tables with all rows. Where no model has
such a table any more, drop it with `make migration m="Drop ..."`, or keep it: leave it out of the
comparison with `include_name` in migrations/env.py."""


class StoppedError(Exception):
    """Why it goes no further."""


def main() -> None:
    parser = ArgumentParser("update_template.py", description="Update from the template.")
    parser.add_argument("--branch", default="", help="work on a new branch of this name")
    options, arguments = parser.parse_known_args()
    try:
        refuse_what_cannot_be_undone()
        if options.branch:
            git("switch", "--create", options.branch)
    except StoppedError as error:
        sys.exit(str(error))
    undo = "git reset --hard && git clean -fd"
    if options.branch:
        undo += f" && git switch - && git branch -D {shlex.quote(options.branch)}"
    print(f"To undo the update, should it be killed: {undo}", flush=True)
    try:
        has_news = update(arguments)
    except (StoppedError, KeyboardInterrupt) as error:
        reason = "Interrupted." if isinstance(error, KeyboardInterrupt) else error
        sys.exit(f"\n{reason}\nTo undo the update: {undo}")
    if has_news:
        print(f"\nLook at it with `git diff`, and commit it. To undo it: {undo}")
    elif options.branch:
        git("switch", "-")
        git("branch", "--delete", options.branch)


def refuse_what_cannot_be_undone() -> None:
    if git("rev-parse", "--show-toplevel", check=False) != str(ROOT):
        raise StoppedError(
            "This folder is not the top of a git repository, so that an update could not be undone:"
            " `git init` here, and commit what is there."
        )
    if changed := git("status", "--porcelain"):
        raise StoppedError(f"Commit or stash first, an update starts from a clean tree:\n{changed}")
    if not ANSWERS.exists():
        raise StoppedError(f"{ANSWERS.name} is missing: it says which template this follows.")
    package = ROOT / "src" / answer("package_name")
    if not package.is_dir():
        raise StoppedError(
            f"There is no src/{package.name}, which {ANSWERS.name} names. If you have renamed it, let"
            " `copier update --vcs-ref :current: -d package_name=<the new name>` write that down,"
            " and commit."
        )


def update(arguments: list[str]) -> bool:
    """Whether there was anything new."""
    before, version = read_changes(), answer("_commit")
    do_not_tidy_up()
    run(*shlex.split(COPIER), "update", "--defaults", *arguments)
    refuse_conflicts()
    if answer("_commit") == version and not git("status", "--porcelain"):
        print(f"The template has nothing new: this project follows its newest version, {version}.")
        return False
    if gone := git("diff", "--name-only", "--diff-filter=D"):
        print(f"\nThe template no longer has:\n{gone}")
        if "/migrations/template/" in gone:
            print(KEPT)
    run(UV, "sync")
    run(UV, "run", answer("project_slug"), "db", "adopt")
    run(MAKE, "check")
    print(f"\nUpdated from {version} to {answer('_commit')}. What that changes:\n")
    print("".join(section for section in sections(read_changes()) if section not in before))
    return True


def do_not_tidy_up() -> None:
    """Git 2.47 and newer do so in the background, in folders that Copier deletes meanwhile."""
    number = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    os.environ[f"GIT_CONFIG_KEY_{number}"] = "maintenance.auto"
    os.environ[f"GIT_CONFIG_VALUE_{number}"] = "false"
    os.environ["GIT_CONFIG_COUNT"] = str(number + 1)


def refuse_conflicts() -> None:
    if conflicts := sorted({*conflicting()}):
        raise StoppedError(
            "Both you and the template have changed the same lines. Choose between the markers in"
            " these files, then run `git add -A`, `make install`, "
            f"`{UV} run {answer('project_slug')} db adopt` and `make check`:\n"
            + "\n".join(conflicts)
        )


def conflicting() -> Iterator[str]:
    yield from git("diff", "--name-only", "--diff-filter=U").splitlines()
    others = git("ls-files", "--others").splitlines()
    yield from (name for name in others if name.endswith(".rej"))
    patterns = [word for marker in MARKERS for word in ("-e", f"^{marker}")]
    yield from git("grep", "-l", "-I", *patterns, "--", ".", check=False).splitlines()


def answer(name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", ANSWERS.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip("'\"") if found else ""


def read_changes() -> str:
    return CHANGES.read_text(encoding="utf-8") if CHANGES.exists() else ""


def sections(changes: str) -> list[str]:
    """One for each version, newest first."""
    return re.split(r"^(?=## )", changes, flags=re.MULTILINE)[1:]


def run(*command: str) -> None:
    shown = shlex.join(command)
    print(f"\n$ {shown}", flush=True)
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise StoppedError(f"`{shown}` has failed, see above.")


def git(*arguments: str, check: bool = True) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and check:
        raise StoppedError(f"`{shlex.join(command)}` has failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
