"""Names that are taken: by Python, by what a service installs, and by the folders of a project."""

import keyword
import re
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from .projects import Project
from .questionnaire import Questionnaire
from .servers import DATABASES

# What only some of the supported versions of Python have in their standard library.
STANDARD_LIBRARY_OF_SOME = {
    "3.11": ["asynchat", "asyncore", "distutils", "imp", "smtpd"],
    "3.11 and 3.12": [
        *["aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"],
        *["msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"],
        *["telnetlib", "uu", "xdrlib"],
    ],
    "3.14": ["annotationlib", "compression"],
}

PLATFORMS: list[dict[str, str]] = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
]


class TestTakenNames:
    def test_they_are_written_as_they_are_compared(self, questionnaire: Questionnaire) -> None:
        lists = questionnaire.include("names.jinja")
        names = [*lists.python.split(), *lists.installed.split(), *lists.reserved.split()]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)

    def test_python_itself(self, questionnaire: Questionnaire) -> None:
        running = [*sys.stdlib_module_names, *keyword.kwlist, *keyword.softkwlist]
        others = [name for names in STANDARD_LIBRARY_OF_SOME.values() for name in names]
        assert refused(questionnaire, {*running, *others})

    def test_the_folders_of_a_project(
        self, questionnaire: Questionnaire, render: Callable[..., Project]
    ) -> None:
        folders = {path.name for path in render().path.iterdir() if path.is_dir()}
        assert {"src", "scripts"} <= folders
        assert refused(questionnaire, {name for name in folders if not name.startswith(".")})

    @pytest.mark.parametrize("database", DATABASES)
    def test_all_that_a_service_installs(
        self, questionnaire: Questionnaire, tmp_path: Path, database: str
    ) -> None:
        project = questionnaire.copy(tmp_path / "project", database=database)
        declared = tomllib.loads((project / "pyproject.toml").read_text())
        wanted = [*declared["project"]["dependencies"], *declared["build-system"]["requires"]]
        for group in declared["dependency-groups"].values():
            wanted += [entry for entry in group if isinstance(entry, str)]
        names = names_installed_by(wanted)
        # Of the first, an indirect and a tool; a module and a command with names of their own.
        assert {"fastapi", "starlette", "ruff", "yaml", "mako-render"} <= names
        assert refused(questionnaire, names)


def refused(questionnaire: Questionnaire, names: set[str]) -> bool:
    """Whether none of the names, however it is written, is a good answer."""
    free = []
    for name in names:
        slug = re.sub("[-_.]+", "-", name).lower()
        if not questionnaire.complaint("project_slug", slug):
            free.append(slug)
        if not questionnaire.complaint("package_name", slug.replace("-", "_")):
            free.append(slug.replace("-", "_"))
    assert not free, f"add to includes/names.jinja: {free}"
    return True


def names_installed_by(requirements: list[str]) -> set[str]:
    """Names of distributions, modules and commands, indirect ones included, on any platform."""
    modules: dict[str, set[str]] = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            modules.setdefault(canonical(owner), set()).add(module)
    names: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(requirement) for requirement in requirements]
    while waiting:
        requirement = waiting.pop()
        key = (canonical(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        names |= {requirement.name, *modules.get(key[0], ())}
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue  # of another platform: its name is known, its content is not
        names |= commands(distribution)
        for line in distribution.requires or []:
            dependency = Requirement(line)
            if applies(dependency, requirement.extras):
                waiting.append(dependency)
    return names


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def commands(distribution: metadata.Distribution) -> set[str]:
    scripts = distribution.entry_points.select(group="console_scripts")
    binaries = [file for file in distribution.files or [] if file.parent.name == "bin"]
    names = {script.name for script in scripts} | {binary.name for binary in binaries}
    return {name for name in names if "." not in name}  # no answer has a dot


def applies(dependency: Requirement, extras: set[str]) -> bool:
    marker = dependency.marker
    return marker is None or any(
        marker.evaluate({**platform, "extra": extra})
        for platform in PLATFORMS
        for extra in {"", *extras}
    )
