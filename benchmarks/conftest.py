"""Not collected with the tests: nothing here fails because of a time."""

pytest_plugins = ["tests.databases", "tests.projects", "tests.rounds", "benchmarks.rivals"]
