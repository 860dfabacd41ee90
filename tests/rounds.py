"""pytest plugin: how often tests of what happens at once, or at some moment, are repeated."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        default=2,
        help="repeat tests of what happens at once so often (default: %(default)s)",
    )


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    count: int = request.config.option.rounds
    return count
