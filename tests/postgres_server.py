"""A PostgreSQL server for tests, from Debian's package: on a free port, in a folder of its own, gone afterwards.

Owns: its life, and a database per test. Must not: touch a server that was there before.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from postcart.adapters.local_kafka import free_ports

_USER = "postgres"
_SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=40")
"""A test's server need not survive the machine."""


class PostgresMissing(Exception):  # noqa: N818 -- names a state of the world
    """The server's programs are not installed."""


class Postgres:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        """Address of a database."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Address of an empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server; raises ``PostgresMissing`` where there is none."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="postcart-pg-") as folder:
        data = Path(folder) / "data"
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, _USER, _USER)
            Path(folder).chmod(0o700)
        (port,) = free_ports(1)
        _run(
            programs / "initdb", "--pgdata", str(data), "--auth=trust", "--no-sync", f"--username={_USER}", "-E", "UTF8"
        )
        settings = " ".join(f"-c {one}" for one in (*_SPEED, f"unix_socket_directories={folder}"))
        log = str(Path(folder) / "log")
        options = f"-h 127.0.0.1 -p {port} {settings}"
        _run(programs / "pg_ctl", "--pgdata", str(data), "--log", log, "--wait", "--options", options, "start")
        try:
            yield Postgres(port)
        finally:
            _run(programs / "pg_ctl", "--pgdata", str(data), "--mode=immediate", "--wait", "stop")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return found[-1].parent
    there = shutil.which("pg_ctl")
    if there is None:
        raise PostgresMissing("no PostgreSQL server here: apt-get install postgresql")
    return Path(there).parent


def _run(program: Path, *arguments: str) -> None:
    as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if os.getuid() == 0 else []
    done = subprocess.run(  # noqa: S603 -- our own command
        [*as_user, str(program), *arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{program.name} failed:\n{done.stdout}")
