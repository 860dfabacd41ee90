"""`make` in a project and in this repository, on machines that have little installed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from .projects import Project
from .template import git

Render = Callable[..., Project]

TOOLS = ["awk", "cat", "cp", "dirname", "env", "git", "grep", "make", "mkdir", "rm", "sed", "sh"]
TOOLS += ["sleep", "touch"]
# Without these nothing can be downloaded, however bare the machine.
NETWORK = re.compile(r"(PIP|UV|SSL)_|(https?|all|no)_proxy$", re.IGNORECASE)
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


@dataclass
class Machine:
    """Has the commands that were put on it and nothing in its home."""

    folder: Path

    def __post_init__(self) -> None:
        self.commands.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found, f"{name} is needed"
            (self.commands / name).symlink_to(found)

    @property
    def commands(self) -> Path:
        return self.folder / "bin"

    @property
    def calls(self) -> list[list[str]]:
        noted = (self.folder / "calls").read_text()
        return [line.rstrip("\0").split("\0") for line in noted.splitlines()]

    def put(self, name: str, script: str) -> None:
        (self.commands / name).write_text(script)
        (self.commands / name).chmod(0o755)

    def put_real_python(self) -> None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.put("python3", f'#!/bin/sh\nexec "{sys.base_prefix}/bin/{version}" "$@"\n')

    def environment(self) -> dict[str, str]:
        network = {name: value for name, value in os.environ.items() if NETWORK.match(name)}
        cache = {"UV_CACHE_DIR": str(Path.home() / ".cache" / "uv")}
        own = {"PATH": str(self.commands), "HOME": str(self.folder / "home")}
        return {**cache, **network, **own, "CALLS": str(self.folder / "calls")}

    def make(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.commands / "make"), *arguments],
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @contextmanager
    def serve(self, folder: Path, port: int, *arguments: str) -> Iterator[httpx2.Client]:
        """`make` something that serves, until Ctrl-C."""
        log = self.folder / "serve.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.commands / "make"), *arguments],
                cwd=folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                self._wait(client, process, log)
                yield client
                os.killpg(process.pid, signal.SIGINT)
                process.wait(timeout=30)
                assert "Traceback" not in log.read_text()
                with pytest.raises(httpx2.ConnectError):
                    client.get("/livez")
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _wait(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert process.poll() is None, f"make ended by itself:\n{log.read_text()}"
            try:
                client.get("/livez").raise_for_status()
            except httpx2.TransportError:
                time.sleep(0.2)
            else:
                return
        pytest.fail(f"nothing is served:\n{log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.fixture
def project(render: Render) -> Path:
    return render().path


@pytest.fixture
def checkout(template: Path, tmp_path: Path) -> Path:
    """This repository, as a newcomer has cloned it."""
    git(tmp_path, "clone", "--quiet", "--shared", str(template), "checkout")
    return tmp_path / "checkout"


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
        (machine.commands / "git").unlink()
        machine.put("git", '#!/bin/sh\n[ "$*" = "rev-parse --quiet --verify origin/main" ]\n')
        assert machine.make(project, "check").returncode == 0
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


class TestRepository:
    @pytest.mark.parametrize("target", ["demo", "test"])
    @pytest.mark.parametrize("given", ["prot=8123", "databse=mysql"])
    def test_an_unknown_name_is_refused(
        self, checkout: Path, machine: Machine, target: str, given: str
    ) -> None:
        done = machine.make(checkout, target, "port=8000", given)
        assert done.returncode != 0
        assert f"There is no {given.partition('=')[0]}=" in done.stderr
        assert "port=" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ("port=http", "port=http is not a number."),
            ("port=", "port= is not a number."),
            ("port=65536", "port=65536 is not a number from 1 to 65535."),
            ("port=0", "port=0 is not a number from 1 to 65535."),
            (
                "database=oracle",
                "database=oracle is none of sqlite, postgresql, mysql and mariadb.",
            ),
            ("into=foreign", "foreign is there and is not a service of this template: "),
            ("into=other", "other has another database already: "),
        ],
    )
    def test_a_demo_that_cannot_be_is_refused(
        self, checkout: Path, machine: Machine, given: str, sentence: str
    ) -> None:
        (checkout / ".venv").mkdir()
        (checkout / ".venv/.installed").touch()
        (checkout / "foreign").mkdir()
        (checkout / "foreign/notes.txt").touch()
        (checkout / "other").mkdir()
        (checkout / "other/.copier-answers.yml").write_text("database: mysql\n")
        done = machine.make(checkout, "demo", "database=sqlite", given)
        assert done.returncode != 0
        assert done.stderr.startswith(sentence)
        assert not (checkout.parent / "my-service").exists()

    def test_a_demo_that_is_interrupted_leaves_the_place_free(
        self, checkout: Path, machine: Machine
    ) -> None:
        (checkout / ".venv" / "bin").mkdir(parents=True)
        (checkout / ".venv/.installed").touch()
        # Interrupted while it writes, the real one leaves what it has written.
        copier = checkout / ".venv" / "bin" / "copier"
        copier.write_text("#!/bin/sh\nmkdir -p ../demo/src && exec sleep 60\n")
        copier.chmod(0o755)
        process = subprocess.Popen(
            [str(machine.commands / "make"), "demo", "into=../demo"],
            cwd=checkout,
            env=machine.environment(),
            start_new_session=True,
        )
        while not (checkout.parent / "demo" / "src").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) != 0
        assert not (checkout.parent / "demo").exists()

    @pytest.mark.slow
    def test_two_commands_on_a_bare_machine(self, checkout: Path, machine: Machine) -> None:
        machine.put_real_python()
        port = free_port()
        demo = ["demo", f"port={port}", "into=../a demo"]
        with machine.serve(checkout, port, *demo) as client:
            assert len(client.get("/users").json()["items"]) > 1
            assert client.get("/docs").status_code == 200
            client.post("/users", json={"name": "New", "email": "new@example.com"})
        printed = (machine.folder / "serve.log").read_text()
        assert f"http://127.0.0.1:{port}/docs" in printed
        assert f"{checkout.parent}/a demo\n" in printed

        with machine.serve(checkout, port, *demo) as client:
            assert client.get("/users").json()["items"][-1]["name"] == "New"

        done = machine.make(checkout, "test-fast", "TEST_ARGS=--collect-only --quiet")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"\d+ tests collected|\d+/\d+ tests collected", done.stdout)


@pytest.mark.parametrize("place", ["project", "checkout"])
class TestPython:
    """How a Python is found and what is said where there is none."""

    def test_none(self, place: str, machine: Machine, request: pytest.FixtureRequest) -> None:
        done = machine.make(request.getfixturevalue(place), "test")
        assert done.returncode != 0
        assert re.match(r"This needs Python 3\.11 or newer.*, and found n.*\.\n", done.stderr)

    def test_too_old(self, place: str, machine: Machine, request: pytest.FixtureRequest) -> None:
        machine.put("python3", "#!/bin/sh\nexit 1\n")
        done = machine.make(request.getfixturevalue(place), "test")
        assert done.stderr.startswith("This needs Python 3.11 or newer")

    def test_without_venv(
        self, place: str, machine: Machine, request: pytest.FixtureRequest
    ) -> None:
        machine.put("python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
        done = machine.make(request.getfixturevalue(place), "test")
        assert done.returncode != 0
        assert done.stderr.startswith(
            "python3 has no venv module: install it (apt install python3-venv)"
        )

    def test_the_newest_that_runs_is_taken(
        self, place: str, machine: Machine, request: pytest.FixtureRequest
    ) -> None:
        machine.put("python3.14", "#!/bin/sh\nexit 127\n")
        machine.put("python3.13", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
        for name in ("python3.12", "python3.11", "python3"):
            machine.put(name, f'#!/bin/sh\n[ "$2" != venv ] || echo made by {name}\n')
        done = machine.make(request.getfixturevalue(place), "test")
        assert "made by python3.12\n" in done.stdout
