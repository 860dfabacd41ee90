"""From every released version to the working tree: a project that is in use loses nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import copier
import pytest
import yaml
from pathspec import GitIgnoreSpec

from .databases import execute, query
from .owners import Past
from .projects import Project, Renderer
from .template import SNAPSHOT, commit, git, releases

pytestmark = pytest.mark.slow

AUDIT = "3f6b0c9d71e8"
# Releases take them in turn: MySQL where there is one, beside MariaDB.
TURNS = (("sqlite",), ("postgresql",), ("mariadb", "mysql"))


@pytest.fixture
def past(renderer: Renderer, tmp_path: Path, database: str, database_url: str) -> Iterator[Past]:
    past = Past(renderer, tmp_path, database_url, database)
    yield past
    for owner in past.owners:
        owner.end()


@pytest.fixture
def sample(rounds: int, version: str, database: str) -> None:
    if rounds < 10 and (version != f"v{next(iter(releases()))}" or database != "sqlite"):
        pytest.skip("from the first release and on SQLite only; all of them with --rounds=10")


@pytest.fixture
def turn(rounds: int, version: str, database: str) -> None:
    newest = [f"v{each}" for each in releases()][-2:]
    if rounds < 10 and version not in newest and not is_turn(version, database):
        pytest.skip("from this release on another database; on each of them with --rounds=10")


def is_turn(version: str, database: str) -> bool:
    return database in TURNS[[*releases()].index(version.removeprefix("v")) % len(TURNS)]


each_release = pytest.mark.parametrize("version", [f"v{version}" for version in releases()])
# With many rounds all of them, else from the first release, on SQLite: what a project has become
# matters more to these than where it comes from.
sampled = pytest.mark.usefixtures("sample")
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@each_release
@pytest.mark.usefixtures("turn")
def test_an_update(past: Past, version: str) -> None:
    update_and_compare(past, version, audit=True)


@each_release
@sampled
def test_an_update_that_leaves_the_options_as_they_are(past: Past, version: str) -> None:
    """It brings no migration."""
    update_and_compare(past, version, audit=False)


def update_and_compare(past: Past, version: str, *, audit: bool) -> None:
    owner = past.owner(version)
    rows = owner.rows()
    assert rows == [("Ann", "ann@example.org", "A-1")]

    owner.update(audit=audit)
    owner.take_over()
    assert owner.rows() == rows
    with past.fresh(audit=audit) as fresh:
        assert owner.differences(fresh) == ""
        assert owner.answers() == fresh.answers()
        assert (AUDIT in fresh.alembic("history")) == audit

    owner.commit()
    if is_turn(version, past.database):  # What comes of files is the same everywhere.
        owner.update()
        assert owner.git("status", "--porcelain") == ""


@on_sqlite
@each_release
@pytest.mark.parametrize("audit", [False, True], ids=["", "audit"])
def test_nobody_has_touched_it(past: Past, version: str, audit: bool) -> None:
    """An update gives what a fresh copy would, but for the files that are the owner's."""
    old = past.project(version)
    before = {name: old.read(name) for name in old.files()}
    owner = past.own(old)
    owner.update(audit=audit)
    fresh = past.project(SNAPSHOT, audit=audit)
    patterns = yaml.safe_load((past.renderer.template / "copier.yml").read_text())
    owned = GitIgnoreSpec.from_lines(patterns["_skip_if_exists"])
    updated = {name: old.read(name) for name in old.files()}
    wanted = {name: fresh.read(name) for name in fresh.files()}
    assert {name for name in wanted if name not in updated} == {
        name for name in wanted if name not in before and owned.match_file(name)
    }
    for name, text in updated.items():
        assert text == (before if owned.match_file(name) else wanted)[name], name


@on_sqlite
@each_release
@sampled
def test_its_own_tests_pass(past: Past, version: str) -> None:
    """Files that are the owner's work with the template's as these are now."""
    owner = past.owner(version)
    owner.update(audit=True)
    owner.take_over()
    owner.project.install().run("python", "-m", "pytest", "-q", "-n", "2", url=past.url)


@on_sqlite
@each_release
@sampled
def test_releases_are_not_skipped(past: Past, version: str) -> None:
    """One after the other, with the migrations adopted each time, leads to the same."""
    owner = past.owner(version)
    later = [f"v{each}" for each in releases()]
    for tag in [*later[later.index(version) + 1 :], SNAPSHOT]:
        owner.follow(to=tag)
    direct = past.own(past.project(version))
    direct.add_orders()
    direct.commit()
    direct.update()
    direct.db("adopt")
    assert owner.texts() == direct.texts()


@on_sqlite
@each_release
@sampled
def test_from_a_url(past: Past, version: str, tmp_path: Path) -> None:
    url = f"git+file://{past.renderer.template}"
    copier.run_copy(url, tmp_path / "project", vcs_ref=version, defaults=True, quiet=True)
    shared = past.renderer.look({})
    project = Project(tmp_path / "project", shared.answers, shared.environments)
    git(project.path, "init", "--quiet")
    commit(project.path, "Begin")
    owner = past.own(project)
    owner.update(audit=True)
    assert (owner.answers()["_src_path"], owner.answers()["_commit"]) == (url, SNAPSHOT)
    assert (project.package / "audit" / "models.py").exists()


@on_sqlite
@each_release
@sampled
def test_nothing_secret_is_kept_in_the_answers(past: Past, version: str) -> None:
    owner = past.owner(version)
    (owner.project.path / ".env").write_text("DATABASE_URL=sqlite:///secret-1.db\n")
    owner.update(audit=True)
    assert "secret-1" not in owner.project.read(".copier-answers.yml")
    assert owner.project.read(".env") == "DATABASE_URL=sqlite:///secret-1.db\n"
    assert owner.answers().keys() - {"_commit", "_src_path"} <= owner.project.answers.keys() | {
        "audit"
    }


@on_sqlite
@each_release
@sampled
def test_after_a_squash(past: Past, version: str) -> None:
    """Before the update, and after it: what was put together does not come apart."""
    owner = past.owner(version)
    owner.db("squash")
    owner.commit()
    [squashed] = owner.versions()
    owner.follow(audit=True)
    assert owner.versions() == sorted([squashed, "20261125_140000_create_audit_log.py"])
    owner.db("squash")
    owner.commit()
    [squashed] = owner.versions()
    owner.update()
    owner.take_over()
    assert owner.versions() == [squashed]
    assert len(owner.rows()) == 1


@on_sqlite
@each_release
@sampled
def test_after_recopy(past: Past, version: str) -> None:
    """It brings files back that are the owner's, but changes none of them."""
    owner = past.owner(version)
    owner.follow(audit=True)
    versions = owner.versions()
    copier.run_recopy(owner.project.path, defaults=True, overwrite=True, quiet=True)
    owner.take_over()
    assert owner.versions() == versions
    owner.commit()
    owner.update()
    assert owner.git("status", "--porcelain") == ""


@on_sqlite
@each_release
@sampled
def test_an_option_is_switched_off_and_on_again(past: Past, version: str) -> None:
    """The table and the history stay; what to do about it is said."""
    owner = past.owner(version)
    owner.follow(audit=True)
    execute(
        owner.url, "insert into audit_log (action, table_name, changes) values ('a', 'b', '{}')"
    )

    owner.update(audit=False)
    assert not (owner.project.package / "audit" / "models.py").exists()
    assert owner.db("adopt") == "The template has brought no migration.\n"
    owner.db("upgrade")
    assert json.loads(owner.db("status", "--json"))["state"] == "current"
    assert query(owner.url, "select count(*) from audit_log") == [(1,)]
    told = owner.run("check")
    assert told.code != 0
    assert "audit_log" in told.output
    owner.commit()

    owner.update(audit=True)
    owner.take_over()
    assert owner.versions().count("20261125_140000_create_audit_log.py") == 1
    assert query(owner.url, "select count(*) from audit_log") == [(1,)]
