"""What the application's queries notice of a migration, with a long transaction on the table."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.apply.traffic import traffic, transaction

from .bench_upgrade import CREATE
from .rivals import OURS, Rivals

ALTER = 'op.add_column("accounts", sa.Column("currency", sa.String(3)))'
QUERY = "SELECT COUNT(*) FROM accounts"
#: How long the transaction stays open, in seconds.
LONG = 60


@pytest.mark.parametrize("database", ["postgresql", "mariadb", "mysql"], indirect=True)
def bench_long_transaction(rivals: Rivals, capsys: pytest.CaptureFixture[str]) -> None:
    """Both at the same time, each in a database of its own."""
    rivals.write("r1", CREATE)
    commands = rivals.commands()
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        urls = {name: stack.enter_context(rivals.fresh()) for name in commands}
        for name, (project, command) in commands.items():
            project.run(*command, url=urls[name])
        rivals.write("r2", ALTER)
        with ExitStack() as transactions:
            measured = {
                name: stack.enter_context(traffic(url, QUERY)) for name, url in urls.items()
            }
            for url in urls.values():
                transactions.enter_context(transaction(url, QUERY))
            running = [
                pool.submit(project.run, *command, url=urls[name])
                for name, (project, command) in commands.items()
            ]
            begun = measured[OURS].wait_for_a_slow_one()
            time.sleep(LONG)
        for migration in running:
            migration.result()
    with capsys.disabled():
        print(f"\n{rivals.database}: {LONG} s")
        for name, each in measured.items():
            share = each.blocked_share(begun, begun + LONG)
            print(
                f"  {name:<22} p50 {each.percentile(50):6.2f} s   p95 {each.percentile(95):6.2f} s"
                f"   p99 {each.percentile(99):6.2f} s   longest {each.worst:6.2f} s"
                f"   kept waiting {share:.0%} of the time"
            )
