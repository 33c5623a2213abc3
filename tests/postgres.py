"""A PostgreSQL for tests: the one that CASEMATE_TEST_POSTGRES names, else a throw-away server of Debian's package."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

from casemate.store import Store

USER = "postgres"
SETTINGS = {  # nothing here has to survive a power cut
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


class Cluster:
    """A server of our own in a temporary folder, on a unix socket; it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        shutil.chown(folder, USER) if os.getuid() == 0 else None
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "-N")

    @property
    def url(self) -> URL:
        return make_url(f"postgresql+psycopg://{USER}@/postgres?host={self._folder}")

    def start(self) -> None:
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = self._as_user("postgres", "-D", f"{self._folder}/data", "-k", str(self._folder), *options)
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 180
        while subprocess.run(self._as_user("pg_isready", "-q", "-h", str(self._folder)), check=False).returncode:
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill every process of it with -9 at once, as a crash of the host does."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        self._process.wait()
        self._process = None
        for child in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            while _runs(child):
                time.sleep(0.01)

    def stop(self, how: str = "immediate") -> None:
        """Stop it: `immediate` as a crash does, `fast` as an administrator does."""
        if self._process is not None:
            self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", how, "-w", "stop")
            self._process.wait(60)
            self._process = None

    def _as_user(self, program: str, *words: str) -> list[str]:
        command = [str(self._programs / program), *words]
        return (
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", *command] if not os.getuid() else command
        )

    def _run(self, *words: str) -> None:
        subprocess.run(self._as_user(*words), check=True, capture_output=True, cwd="/")


def _runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Server:
    """Makes databases: empty ones, and ones with casemate's tables."""

    def __init__(self, url: URL, folder: Path, cluster: Cluster | None = None) -> None:
        self.cluster = cluster
        self._url = url
        self._folder = folder
        self._names = (f"casemate_test_{os.getpid()}_{number}" for number in count())
        self._template = ""

    def make(self, *, empty: bool = False) -> str:
        """Make a database and give its URL."""
        if not empty and not self._template:
            template = self.make(empty=True)
            Store.open(template, audit=self._folder).close()
            self._template = str(make_url(template).database)
        name = next(self._names)
        self._say(f"CREATE DATABASE {name} ENCODING UTF8 TEMPLATE {'template0' if empty else self._template}")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        self._say(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def drop_all(self) -> None:
        if self._template:
            self.drop(self._url.set(database=self._template).render_as_string())

    def _say(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


def programs() -> Path | None:
    """Find Debian's programs, the newest release first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def why_not() -> str:
    """Say why no server can be started here; empty when one can."""
    if programs() is None:
        return "no /usr/lib/postgresql/*/bin/initdb (Debian: apt install postgresql)"
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            return "PostgreSQL does not run as root and setpriv is missing (Debian: apt install util-linux)"
        try:
            pwd.getpwnam(USER)
        except KeyError:
            return f"PostgreSQL does not run as root and there is no user {USER}"
    return ""


def absent(reason: str) -> None:
    """Skip what needs PostgreSQL, or fail where it must not be skipped."""
    told = f"ran WITHOUT PostgreSQL: {reason}; or name a server in CASEMATE_TEST_POSTGRES"
    assert not os.environ.get("CASEMATE_REQUIRE_POSTGRES"), told
    pytest.skip(told)


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """Run a server of our own."""
    found = programs()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="casemate-pg-"))  # a short path: sockets allow 107 bytes
    folder.chmod(0o755)
    cluster = Cluster(found, folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shared_server(folder: Path) -> Iterator[Server]:
    """Give the server that tests share."""
    named = os.environ.get("CASEMATE_TEST_POSTGRES")
    if named:
        server = Server(make_url(named).set(drivername="postgresql+psycopg"), folder)
        yield server
        server.drop_all()
        return
    if reason := why_not():
        absent(reason)
    with own_cluster() as cluster:
        yield Server(cluster.url, folder, cluster)
