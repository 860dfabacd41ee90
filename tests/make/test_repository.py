"""`make` in this repository, on machines that have little installed."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ..servers import free_port
from .machines import Machine


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
            (f"port={'9' * 20}", f"port={'9' * 20} is not a number from 1 to 65535."),
            ("port=0", "port=0 is not a number from 1 to 65535."),
            (
                "database=oracle",
                "database=oracle is none of sqlite, postgresql, mysql and mariadb.",
            ),
            ("into=", "into= names no folder"),
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
        copier.write_text(
            "#!/bin/sh\ntrap 'echo Traceback >&2; exit 1' INT\nmkdir -p ../demo/src\nsleep 60\n"
        )
        copier.chmod(0o755)
        process = subprocess.Popen(
            [str(machine.commands / "make"), "demo", "into=../demo"],
            cwd=checkout,
            env=machine.environment(),
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (checkout.parent / "demo" / "src").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode != 0
        assert "Traceback" not in said
        assert not (checkout.parent / "demo").exists()

    @pytest.mark.slow
    def test_two_commands_on_a_bare_machine(self, checkout: Path, machine: Machine) -> None:
        machine.put_real_python()
        (checkout.parent / "a demo").mkdir()  # An empty folder is as good as none.
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
