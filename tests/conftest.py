"""The template's own tests: projects are rendered from a snapshot of the working tree and used."""

pytest_plugins = [
    "tests.databases",
    "tests.projects",
    "tests.questionnaire",
    "tests.rounds",
    "tests.services",
]
