"""How a service and its migrations get into their database: passwords, TLS, roles, poolers."""

import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from .certificates import make_certificates
from .databases import execute, query
from .private import private_server
from .projects import Project, Renderer
from .services import Service, on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PASSWORD = "p@ss/w%:#é x'"
WRONG_PASSWORD = "wr@ng/w%:#é x'"

Installed = Callable[[str], Project]


@pytest.fixture(scope="module")
def installed(renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A project for each database, which the tests only run."""
    made: dict[str, Project] = {}

    def install(database: str) -> Project:
        if database not in made:
            folder = tmp_path_factory.mktemp("installed") / "project"
            made[database] = renderer(folder, {"database": database}).install()
        return made[database]

    return install


@contextmanager
def login(url: str, password: str = "", require: str = "") -> Iterator[str]:
    """The URL of a user of MySQL or MariaDB who owns the database."""
    name = f"odd_{secrets.token_hex(4)}"
    # A new MariaDB has a user without a name at localhost, who would come before one at '%'.
    users = [f"'{name}'@'{host}'" for host in ("%", "localhost")]
    quoted = password.replace("'", "''").replace(":", r"\:")
    for user in users:
        execute(url, f"CREATE USER {user} IDENTIFIED BY '{quoted}' {require}")
        execute(url, f"GRANT ALL ON {make_url(url).database}.* TO {user}")
    # Else the server remembers who logged in, and asks for less.
    execute(url, "FLUSH PRIVILEGES")
    try:
        found = make_url(url).set(username=name, password=password)
        yield found.render_as_string(hide_password=False)
    finally:
        for user in users:
            execute(url, f"DROP USER {user}")


@contextmanager
def odd_password(service: Service) -> Iterator[str]:
    if service.database != "postgresql":
        with login(service.url, PASSWORD) as url:
            yield url
    else:
        with private_server("postgresql", password=PASSWORD) as server:
            yield server.create_database("odd")


def refusal(project: Project, *command: str, url: str) -> str:
    """What a command says that fails, in a sentence."""
    refused = project.run(*command, url=url, check=False)
    output = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert output.count("\n") == 1, output
    return output.strip()


def changed(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def with_parameters(url: str, **parameters: str) -> str:
    return make_url(url).update_query_dict(parameters).render_as_string(hide_password=False)


# Passwords


@on("postgresql", "mariadb", "mysql")
def test_an_odd_password_works_and_is_never_printed(
    empty_service: Service, installed: Installed
) -> None:
    project = installed(empty_service.database)
    with odd_password(empty_service) as url:
        wrong = changed(url, password=WRONG_PASSWORD)
        for command in (["alembic"], [project.console_script, "db"]):
            assert_hidden(refusal(project, *command, "upgrade", "head", url=wrong), WRONG_PASSWORD)
            done = project.run(*command, "upgrade", "head", url=url)
            assert_hidden(done.stdout + done.stderr, PASSWORD)
        for tried, status in ((url, 200), (wrong, 503)):
            with project.serve(tried) as client:
                assert client.get("/users").status_code == status
                assert client.get("/readyz").status_code == status
            [log] = project.path.parent.glob("serve-*.log")
            assert_hidden(log.read_text(), PASSWORD, WRONG_PASSWORD)
            log.unlink()


@on("postgresql", "mariadb", "mysql")
def test_a_password_that_is_not_encoded_is_never_printed(
    empty_service: Service, installed: Installed
) -> None:
    project = installed(empty_service.database)
    scheme = make_url(empty_service.url).drivername
    url = f"{scheme}://me:{PASSWORD}@localhost/orders"
    for command in (["alembic", "current"], [project.console_script, "serve"]):
        said = refusal(project, *command, url=url)
        assert said.startswith("DATABASE_URL is not a database URL")
        assert "percent-encoded" in said
        assert_hidden(said, PASSWORD)
    parse = empty_service.module("driver").parse_url
    for secret in (
        "s@cret",
        "s@cret/more",
        "s@cret:more",
        "s/cret@more",
        "s@cret?more",
        "s@cret?more=1",
        "s@cret/more?ssl_more=1",
        "s#cret@more",
    ):
        with pytest.raises(ValueError, match="percent-encoded") as refused:
            parse(f"{scheme}://me:{secret}@localhost/orders", Path.cwd())
        assert_hidden(str(refused.value), secret)
    for secret in ("s#cret", "s/cret", "s?cret", "s:cret", "s%cret", "s cret"):
        url = parse(f"{scheme}://me@example.com:{secret}@localhost/orders", Path.cwd())
        assert (url.username, url.password, url.host) == ("me@example.com", secret, "localhost")


def assert_hidden(output: str, *passwords: str) -> None:
    """Nor a part by which one could tell the rest."""
    for password in passwords:
        parts = [part for part in password.split("@") if len(part) > 3]
        for part in (*parts, quote(password, safe="")):
            assert part not in output, output


# TLS


@contextmanager
def tls_server(service: Service, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A database on a server with TLS, and the parameters with which to log in there.

    MySQL makes certificates of its own, in which the name of the host is not.
    """
    if service.database == "mysql":
        ca = folder / "ca.pem"
        ca.write_text(authority_of(service.url))
        yield service.url, {"ssl_ca": str(ca), "ssl_verify_identity": "false"}
    else:
        made = make_certificates(folder)

        def prepare(target: Path) -> list[str]:
            for name in ("ca", "server", "server-key"):
                (target / f"{name}.pem").write_bytes(Path(made.path(name)).read_bytes())
            return [
                f"--ssl-ca={target}/ca.pem",
                f"--ssl-cert={target}/server.pem",
                f"--ssl-key={target}/server-key.pem",
            ]

        with private_server(service.database, prepare) as server:
            url = server.create_database("secure")
            yield url, {"ssl_ca": made.path("ca")}


def authority_of(url: str) -> str:
    """The certificate of the authority, which MySQL sends along with its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parsed = make_url(url)
    assert parsed.host
    assert parsed.port
    connection = pymysql.connect(
        host=parsed.host,
        port=parsed.port,
        user=parsed.username,
        password=parsed.password or "",
        ssl=context,
    )
    with connection:
        chain = connection._sock._sslobj.get_unverified_chain()  # public since Python 3.13
        pem: str = chain[-1].public_bytes()
        return pem


@on("mariadb", "mysql")
async def test_tls_is_what_the_parameters_say(
    empty_service: Service, installed: Installed, tmp_path: Path
) -> None:
    project = installed(empty_service.database)
    with (
        tls_server(empty_service, tmp_path) as (administrator, parameters),
        login(administrator, PASSWORD, "REQUIRE SSL") as url,
    ):
        good = with_parameters(url, **parameters)
        project.run("alembic", "upgrade", "head", url=good)
        service = replace(empty_service, url=administrator)
        service.create_tables()
        async with service.run(good) as running:
            assert (await running.create()).status_code == 201
            assert (await running.count()).json() == 1
            async with running.database.sessions() as session:
                cipher = (await session.execute(text("SHOW STATUS LIKE 'Ssl_cipher'"))).one()
                assert cipher[1]

        # Without TLS, with an authority that did not sign, and for a host that is not named.
        unknown = with_parameters(url, ssl_verify_cert="true")
        if empty_service.database == "mysql":
            misnamed = with_parameters(url, ssl_ca=parameters["ssl_ca"])
        else:
            misnamed = changed(good, host="localhost")
        for bad in (url, unknown, misnamed):
            async with service.run(bad) as running:
                assert (await running.count()).status_code == 503, bad
        for bad in (unknown, misnamed):
            said = refusal(project, "alembic", "current", url=bad)
            assert "certificate verify failed" in said
            assert_hidden(said, PASSWORD)


@on("mariadb")
async def test_a_client_may_show_a_certificate(
    empty_service: Service, installed: Installed, tmp_path: Path
) -> None:
    with (
        tls_server(empty_service, tmp_path) as (administrator, parameters),
        login(administrator, PASSWORD, "REQUIRE X509") as url,
    ):
        own = {
            "ssl_cert": str(tmp_path / "client.pem"),
            "ssl_key": str(tmp_path / "client-key.pem"),
        }
        good = with_parameters(url, **parameters, **own)
        installed("mariadb").run("alembic", "upgrade", "head", url=good)
        service = replace(empty_service, url=administrator)
        service.create_tables()
        for tried, status in ((good, 200), (with_parameters(url, **parameters), 503)):
            async with service.run(tried) as running:
                assert (await running.count()).status_code == status


@on("mysql")
async def test_certificates_of_mysql_are_good_enough(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 and later demand more of a certificate than MySQL puts into its own."""
    create = ssl.create_default_context

    def create_strict(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = create(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    with tls_server(service, tmp_path) as (url, parameters):
        monkeypatch.setattr("ssl.create_default_context", create_strict)
        async with service.run(with_parameters(url, **parameters)) as running:
            assert (await running.count()).status_code == 200


@on("mariadb", "mysql")
async def test_a_login_without_tls_works_when_the_server_has_forgotten_it(
    service: Service, installed: Installed
) -> None:
    with login(service.url, PASSWORD) as url:
        async with service.run(url) as running:
            assert (await running.create()).status_code == 201
        execute(service.url, "FLUSH PRIVILEGES")
        installed(service.database).run("alembic", "current", url=url)


@on("mariadb", "mysql")
@pytest.mark.parametrize(
    ("query_string", "said"),
    [
        ("ssl_ca=/nowhere/ca.pem", "TLS files that cannot be used"),
        ("ssl_verify_cert=1", "true or false for ssl_verify_cert"),
        ("ssl_verify_identity=False", "true or false for ssl_verify_identity"),
        ("ssl_mode=REQUIRED", "unknown parameter ssl_mode"),
    ],
)
def test_a_parameter_that_would_mean_less_than_it_says_is_refused(
    empty_service: Service, query_string: str, said: str
) -> None:
    parse = empty_service.module("driver").parse_url
    with pytest.raises(ValueError, match=said):
        parse(f"{empty_service.url}?{query_string}", Path.cwd())


# Character sets


@on("mariadb", "mysql")
def test_a_database_that_cannot_store_every_text_is_refused(
    empty_service: Service, installed: Installed
) -> None:
    project, url = installed(empty_service.database), empty_service.url
    execute(url, f"ALTER DATABASE {make_url(url).database} CHARACTER SET latin1")
    for command in (["alembic"], [project.console_script, "db"]):
        said, _, remedy = refusal(project, *command, "upgrade", "head", url=url).partition(" Run: ")
        assert said.endswith("stores texts as latin1, which lacks most characters.")
    execute(url, remedy)
    project.run("alembic", "upgrade", "head", url=url)
    with project.serve(url) as client:
        user = {"name": "😀 é", "email": "a@example.com"}
        assert client.post("/users", json=user).json()["name"] == "😀 é"
    assert query(url, "SELECT name FROM users") == [("😀 é",)]


# Roles


@on("postgresql", "mariadb", "mysql")
def test_migrations_may_run_as_somebody_else(empty_service: Service, installed: Installed) -> None:
    project, url = installed(empty_service.database), empty_service.url
    with application_role(empty_service) as limited:
        refused = project.run("alembic", "upgrade", "head", url=limited, check=False)
        assert refused.returncode != 0
        project.run("alembic", "upgrade", "head", url=limited, DATABASE_MIGRATION_URL=url)
        with project.serve(limited, DATABASE_MIGRATION_URL=url) as client:
            assert client.get("/readyz").status_code == 200
            user = {"name": "Ada", "email": "ada@example.com"}
            assert client.post("/users", json=user).status_code == 201
            assert len(client.get("/users").json()["items"]) == 1


@contextmanager
def application_role(service: Service) -> Iterator[str]:
    """The URL of somebody who may read and write rows, and no more."""
    name, password = f"app_{secrets.token_hex(4)}", secrets.token_hex(8)
    if service.database == "postgresql":
        user, rights = name, "SELECT, INSERT, UPDATE, DELETE"
        execute(service.url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        execute(service.url, f"ALTER DEFAULT PRIVILEGES GRANT {rights} ON TABLES TO {user}")
    else:
        user, rights = f"'{name}'@'%'", "SELECT, INSERT, UPDATE, DELETE"
        execute(service.url, f"CREATE USER {user} IDENTIFIED BY '{password}'")
        execute(service.url, f"GRANT {rights} ON {make_url(service.url).database}.* TO {user}")
    try:
        yield changed(service.url, username=name, password=password)
    finally:
        if service.database == "postgresql":
            execute(service.url, f"DROP OWNED BY {user}")
        execute(service.url, f"DROP USER {user}")
