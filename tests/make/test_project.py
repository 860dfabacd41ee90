"""`make` in a project, on machines that have little installed."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ..projects import Project
from ..servers import free_port
from .machines import Machine

Render = Callable[..., Project]

# Behaves as `uv run command` without a project would; notes how it was called.
UV = """\
#!/bin/sh
[ "$1" = --version ] && echo "uv 1.0" && exit
{ printf '%s\\0' "$@"; echo; } >> "$CALLS"
"""
# Runs what is installed, as the real one does once it has.
UV_OF_A_PROJECT = """\
#!/bin/sh
[ "$1" = --version ] && echo "uv 1.0"
[ "$1" = run ] || exit 0
shift; command=$1; shift
exec .venv/bin/python .venv/bin/"$command" "$@"
"""
TARGETS = {
    "run": ["run my-service db upgrade", "run my-service serve --reload"],
    "install": ["sync"],
    "test": ["run pytest -n auto"],
    "check": ["run ruff check", "run ruff format --check", "run mypy", "run pytest -n auto --cov"],
    "format": ["run ruff check --fix-only", "run ruff format"],
    "migrate": ["run my-service db upgrade"],
    "rollback": ["run my-service db downgrade -1"],
}
MESSAGES = [
    "add email",
    """it's $5, "quoted", $(shell echo no) and `id` # not a comment""",
    "$HOME ${HOME $(HOME $$ $",
    "--help",
    "a\\",
    "a; exit 1 && %s * ~ | > x",
    "Größe 📏",
]


class TestProject:
    def test_help_names_every_target(self, project: Path, machine: Machine) -> None:
        shown = machine.make(project).stdout
        targets = re.findall(r"^\.PHONY: (\S+)$", (project / "Makefile").read_text(), re.MULTILINE)
        assert re.findall(r"^(\S+) +\S", shown, re.MULTILINE) == targets
        assert max(map(len, shown.splitlines())) <= 100

    @pytest.mark.parametrize("target", TARGETS)
    def test_a_target_runs_its_commands(self, project: Path, machine: Machine, target: str) -> None:
        machine.put("uv", UV)
        done = machine.make(project, target)
        assert done.returncode == 0, done.stderr
        assert [" ".join(call) for call in machine.calls] == TARGETS[target]

    @pytest.mark.parametrize("message", MESSAGES)
    def test_a_migration_takes_any_message(
        self, project: Path, machine: Machine, message: str
    ) -> None:
        machine.put("uv", UV)
        done = machine.make(project, "migration", f"m={message}")
        assert done.returncode == 0, done.stderr
        command = ["run", "my-service", "db", "revision", "--autogenerate"]
        assert machine.calls == [[*command, f"--message={message}"]]

    def test_a_migration_needs_a_message(self, project: Path, machine: Machine) -> None:
        machine.put("uv", UV)
        done = machine.make(project, "migration")
        assert done.returncode != 0
        assert done.stderr.startswith('Say what changes: make migration m="add email"\n')

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["m=wip"], 'FAILED: The message "wip" does not say what the migration does'),
            ([], 'Say what changes: make migration m="add email"'),
        ],
    )
    def test_a_message_says_something(
        self, render: Render, machine: Machine, arguments: list[str], sentence: str
    ) -> None:
        project = render().install()
        machine.put("uv", UV_OF_A_PROJECT)
        before = project.files()
        done = machine.make(project.path, "migration", *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
        written = set(project.files()) - set(before)
        assert not [name for name in written if "versions" in name and name.endswith(".py")]

    def test_settings_are_copied_once(self, project: Path, machine: Machine) -> None:
        machine.put("uv", UV)
        machine.make(project, "install")
        assert (project / ".env").read_text() == (project / ".env.example").read_text()
        (project / ".env").write_text("PORT=8123\n")
        machine.make(project, "install")
        assert (project / ".env").read_text() == "PORT=8123\n"

    def test_targets_of_the_users_own(self, project: Path, machine: Machine) -> None:
        machine.put("uv", UV)
        (project / "project.mk").write_text(
            "TEST_ARGS = --maxfail=1\n\ncheck: audit\n\naudit: ## Look for known weaknesses\n\tuv audit\n"
        )
        assert "audit            Look for known weaknesses" in machine.make(project).stdout
        assert machine.make(project, "check").returncode == 0
        assert machine.calls[0] == ["audit"]
        assert machine.calls[-1] == ["run", "pytest", "-n", "auto", "--cov", "--maxfail=1"]

    def test_migrations_of_a_branch_are_reviewed(self, project: Path, machine: Machine) -> None:
        """Where it is known what the branch adds."""
        machine.put("uv", UV)
        done = machine.make(project, "check")
        assert done.returncode == 0
        assert "not reviewed: git knows no origin/main (git fetch origin main:" in done.stderr
        (machine.commands / "git").unlink()
        machine.put("git", '#!/bin/sh\n[ "$*" = "rev-parse --quiet --verify origin/main" ]\n')
        done = machine.make(project, "check")
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.calls[-2] == ["run", "my-service", "db", "lint", "--since", "origin/main"]

    @pytest.mark.parametrize("target", ["help", "migration", *TARGETS])
    def test_a_dry_run_changes_nothing(self, project: Path, machine: Machine, target: str) -> None:
        machine.put_real_python()
        before = sorted(project.rglob("*"))
        assert machine.make(project, "-n", target, "m=x").returncode == 0
        assert sorted(project.rglob("*")) == before

    def test_an_old_uv_is_passed_over(self, project: Path, machine: Machine) -> None:
        machine.put("uv", "#!/bin/sh\necho uv 0.4.30\n")
        assert machine.make(project, "-n", "test").stdout.endswith(
            ".venv/bin/uv run pytest -n auto \n"
        )

    @pytest.mark.slow
    def test_a_fresh_checkout_runs_and_heals(self, project: Path, machine: Machine) -> None:
        machine.put_real_python()
        port = free_port()
        with machine.serve(project, port, "run", f"RUN_ARGS=--port {port}") as client:
            assert client.get("/readyz").status_code == 200
            assert client.get("/users").json() == {"items": [], "next": None}
            assert client.get("/docs").status_code == 200
        assert (project / "uv.lock").exists()
        assert (project / ".venv/bin/uv").exists()

        lock = (project / "uv.lock").read_text()
        shutil.rmtree(project / ".venv")
        done = machine.make(project, "test", "TEST_ARGS=-k test_create")
        assert done.returncode == 0, done.stdout + done.stderr
        assert " passed" in done.stdout
        assert (project / "uv.lock").read_text() == lock

        self.change(project)
        message = """add "age", it's $5"""
        done = machine.make(project, "migration", f"m={message}")
        assert done.returncode == 0, done.stderr
        [written] = (project / "src/my_service/migrations/versions").glob("*_add_age*.py")
        assert message in written.read_text().replace("\\", "")
        for target in ("migrate", "rollback"):
            done = machine.make(project, target)
            assert done.returncode == 0, done.stderr

    @staticmethod
    def change(project: Path) -> None:
        models = project / "src/my_service/users/models.py"
        name = "    name: Mapped[str] = mapped_column(String(200))\n"
        assert name in models.read_text()
        models.write_text(models.read_text().replace(name, f"{name}    age: Mapped[int | None]\n"))

    @pytest.mark.slow
    def test_a_new_environment_gets_its_uv_back(self, project: Path, machine: Machine) -> None:
        """uv makes .venv anew when it is of another Python than .python-version says."""
        machine.put_real_python()
        assert machine.make(project, "install").returncode == 0
        (project / ".venv/pyvenv.cfg").write_text("home = /nowhere\nversion = 3.9.0\n")
        (project / ".venv/bin/python").unlink()
        assert machine.make(project, "install").returncode == 0
        done = machine.make(project, "format")
        assert done.returncode == 0, done.stderr
        assert (project / ".venv/bin/uv").exists()
