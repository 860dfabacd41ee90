"""The servers that tests start are out of each other's way."""

import pytest

from .databases import query
from .private import private_server


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_temporary_files_are_a_servers_own(database: str) -> None:
    """Those of others are deleted at its start, with the tables that are in them."""
    with private_server(database) as one, private_server(database) as other:
        folders = [query(server.url, "SELECT @@tmpdir") for server in (one, other)]
        assert folders[0] != folders[1]
