"""Which Python `make` takes, in a project and in this repository."""

import re

import pytest

from .machines import Machine


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
