"""pytest plugin: rendered projects, each with an environment of its own."""

import hashlib
import io
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from plumbum import local
from pytest_copie.plugin import Copie, Result

from .quick_copier import quick
from .servers import free_port
from .shared import once, shared_folder
from .template import ROOT, SNAPSHOT, take_snapshot

Answers = Mapping[str, Any]

# A project sees nothing else of the environment that the tests run in.
_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "USER")
# PyMySQL would read the machine's certificates at each connection, and check nothing by them.
WITHOUT_CERTIFICATES = {"SSL_CERT_FILE": os.devnull}


@dataclass
class Project:
    """A rendered project, and what its user does with it."""

    path: Path
    answers: dict[str, Any]
    environments: Path = field(repr=False)

    @property
    def package(self) -> Path:
        return self.path / "src" / str(self.answers["package_name"])

    @property
    def console_script(self) -> str:
        return str(self.answers["project_slug"])

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> list[str]:
        """Every rendered file, as a path inside the project."""
        found = (path for path in self.path.rglob("*") if path.is_file())
        names = (path.relative_to(self.path).as_posix() for path in found)
        return sorted(name for name in names if not name.startswith((".git/", ".venv/")))

    def install(self, python: str = sys.executable) -> "Project":
        """Make `.venv` as the project declares it: hard links to one made for the same declaration."""
        installed = once(
            self.environments / _key(["installed", python, self.read("pyproject.toml")]),
            lambda folder: self._install(folder, python),
        )
        environment = self.path / ".venv"
        shutil.copytree(installed, environment, symlinks=True, copy_function=os.link)
        # All that names the project's folder, and that Python reads.
        [editable] = environment.glob("lib/*/site-packages/_editable_impl_*.pth")
        editable.unlink()
        editable.write_text(str(self.path / "src"))
        return self

    def run(
        self,
        *command: str,
        url: str | None = None,
        check: bool = True,
        timeout: float = 600,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as in the project's activated environment, with this DATABASE_URL."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self._variables(url, variables),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert not check or done.returncode == 0, (
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def _variables(self, url: str | None, variables: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        path = f"{self.path / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        database = {"DATABASE_URL": url} if url else {}
        own = {"PATH": path, "TMPDIR": str(self.path.parent), "MYPY_CACHE_DIR": self.mypy_cache}
        return {**kept, **own, **database, **variables}

    @property
    def mypy_cache(self) -> str:
        """One for each process: mypy reads in it what it knows of the dependencies."""
        return str(self.environments / f"mypy-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")

    @contextmanager
    def serve(self, url: str, *options: str, **variables: str) -> Iterator[httpx2.Client]:
        """The server, started as the README says; SIGTERM must end it cleanly."""
        port = free_port()
        output = (self.path.parent / f"serve-{port}.log").open("w+")
        process = subprocess.Popen(
            [self.console_script, "serve", "--port", str(port), *options],
            cwd=self.path,
            env=self._variables(url, variables),
            executable=self.path / ".venv" / "bin" / self.console_script,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait_until_alive(client, process, Path(output.name))
                yield client
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=30) == 0, Path(output.name).read_text()
        finally:
            process.kill()
            process.wait()
            output.close()

    def _install(self, folder: Path, python: str) -> None:
        declared = tomllib.loads(self.read("pyproject.toml"))
        builders = [*declared["build-system"]["requires"], "editables"]
        dependencies = [declared["project"]["dependencies"], declared["dependency-groups"]]
        resolved = once(
            self.environments / _key([python, builders, *dependencies]),
            lambda folder: self._resolve(folder, python, builders),
        )
        shutil.copytree(resolved, folder, symlinks=True, copy_function=os.link)
        # What builds it is there already: it need not be asked for and installed each time.
        options = ["--python", str(folder), "--offline", "--no-build-isolation", "--no-deps"]
        run_uv("pip", "install", *options, "--editable", ".", folder=self.path)

    def _resolve(self, folder: Path, python: str, builders: list[str]) -> None:
        run_uv("venv", "--relocatable", "--python", python, str(folder))
        pins = ["--constraints", str(ROOT / "requirements.txt")]
        declared = ["--requirements", "pyproject.toml", "--group", "dev"]
        target = ["--python", str(folder)]
        run_uv("pip", "install", *target, *pins, *declared, *builders, folder=self.path)
        if python == sys.executable:
            once(self.environments / "compiled", _compile)
            _take_bytecode(folder)


class Renderer:
    """Renders each set of answers once per run, through pytest-copie."""

    def __init__(self, copie: Copie, template: Path, folder: Path) -> None:
        self._copie = copie
        self.template = template
        self._folder = folder

    def look(self, answers: Answers, tag: str = SNAPSHOT) -> Project:
        """The rendered project itself, for tests that change nothing."""
        cached = once(
            self._folder / "renders" / _key([answers, tag]),
            lambda to: self._render(to, answers, tag),
        )
        recorded = json.loads((cached / "answers.json").read_text())
        return Project(cached / "project", recorded, self._folder / "environments")

    def __call__(self, target: Path, answers: Answers, tag: str = SNAPSHOT) -> Project:
        shared = self.look(answers, tag)
        shutil.copytree(shared.path, target, symlinks=True)
        return replace(shared, path=target)

    def _render(self, folder: Path, answers: Answers, tag: str) -> None:
        with redirect_stderr(io.StringIO()):
            result: Result = self._copie.copy(dict(answers), self.template, tag)
        if result.exception is not None:
            raise result.exception
        assert result.exit_code == 0
        assert answers.items() <= result.answers.items(), "an answer is unknown or was refused"
        assert result.project_dir is not None
        folder.mkdir()
        result.project_dir.rename(folder / "project")
        (folder / "answers.json").write_text(json.dumps(result.answers))


@pytest.fixture(scope="session", autouse=True)
def _isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the user's git configuration nor their Copier settings may change a result."""
    home = tmp_path_factory.mktemp("home")
    gitconfig, settings = home / "gitconfig", home / "copier.yml"
    gitconfig.write_text(
        "[user]\n name = Test\n email = test@example.com\n"
        # Since 2.47 in the background, while Copier deletes the folder.
        "[maintenance]\n auto = false\n"
    )
    settings.write_text("{}\n")
    variables = {
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "GIT_CONFIG_NOSYSTEM": "1",
        "COPIER_SETTINGS_PATH": str(settings),
        "COPIER_CACHE_DIR": str(home / "cache"),
    }
    # Copier runs git through plumbum, which has taken a copy of the environment.
    with quick(), pytest.MonkeyPatch.context() as patches, local.env(**variables):
        for name, value in variables.items():
            patches.setenv(name, value)
        # As WITHOUT_CERTIFICATES does for other processes.
        patches.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, _isolation: None) -> Path:
    """The working tree as it was when the run began, as a tagged repository."""
    return once(shared_folder(tmp_path_factory) / "template", take_snapshot)


@pytest.fixture(scope="session")
def renderer(
    copie_session: Copie, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Renderer:
    return Renderer(copie_session, template, shared_folder(tmp_path_factory))


@pytest.fixture
def render(renderer: Renderer, tmp_path: Path) -> Callable[..., Project]:
    """Render the template with some answers, the rest by default; the project is the test's own."""
    made = 0

    def render(**answers: Any) -> Project:
        nonlocal made
        made += 1
        return renderer(tmp_path / f"project-{made}", answers)

    return render


def _key(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _compile(done: Path) -> None:
    """What the tests run on, as far as it is not compiled yet."""
    packages = sysconfig.get_path("purelib")
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "0", packages]
    subprocess.run(command, check=False)  # Some of them have files that no Python reads.
    done.mkdir()


def _take_bytecode(environment: Path) -> None:
    """Of the same files, from what the tests run on: to compile them anew takes six seconds."""
    own = Path(sysconfig.get_path("purelib"))
    packages = environment / own.relative_to(sys.prefix)
    for compiled in own.rglob(f"*.{sys.implementation.cache_tag}.pyc"):
        target = packages / compiled.relative_to(own)
        source = Path(source_from_cache(target))
        if source.is_file():
            target.parent.mkdir(exist_ok=True)
            # It holds for a file of this date, and on another file system uv has made a copy of today.
            date = int(source.stat().st_mtime).to_bytes(4, "little")
            code = compiled.read_bytes()
            target.write_bytes(code[:8] + date + code[12:])


def run_uv(*arguments: str, folder: Path | None = None) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _wait_until_alive(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended by itself:\n{log.read_text()}"
        try:
            client.get("/livez").raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server does not answer:\n{log.read_text()}")
