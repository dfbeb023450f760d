"""A real Airflow 3 in a virtual environment and a home of its own; everything of it listens on 127.0.0.1.

The environment is made on first use from requirements/airflow.lock and kept beside .venv.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.command import ROOT, clean_environment
from tests.ports import free_port
from tests.sandbox.processes import below, outliving

PLACE = ROOT / ".venv-airflow"
LOCK = ROOT / "requirements" / "airflow.lock"
DAGS = ROOT / "gbg_lib" / "scheduling" / "airflow" / "dags"
INSTALL_SECONDS = 1200
COMMAND_SECONDS = 300
END_SECONDS = 60
Task = tuple[str, int]
"""task id and map index; -1 for a task that isn't mapped"""


def installed() -> Path:
    """The environment's folder of programs, made if it is missing or made of another lock."""
    stamp = PLACE / f".made-{zlib.crc32(LOCK.read_bytes())}"
    with (ROOT / ".airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            _run([sys.executable, "-m", "venv", str(PLACE)])
            pip = [str(PLACE / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps"]
            _run([*pip, "-r", str(LOCK), "-r", str(ROOT / "requirements" / "build.lock")])
            _run([*pip, "--no-build-isolation", "-e", str(ROOT)])
            stamp.touch()
    return PLACE / "bin"


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"


class Airflow:
    """`folder` becomes AIRFLOW_HOME; `variables` are what the DAGs look up (`gbg_folder`)."""

    def __init__(self, folder: Path, sandbox: Path, dags: Path = DAGS, **variables: str) -> None:
        self.folder = folder
        self.programs = installed()
        self.port = free_port()
        settings = {
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_FOLDER": str(dags),
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "API__SECRET_KEY": secrets.token_hex(32),
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        self.environment = clean_environment(
            AIRFLOW_HOME=str(folder),
            GBG_HOME=str(sandbox),
            PATH=f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            **{f"AIRFLOW__{name}": value for name, value in settings.items()},
            **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()},
        )
        self.command("db", "migrate")

    def command(self, *words: str, status: int = 0, **more: str) -> str:
        """What `airflow WORDS` tells. Fails unless it ends with `status`."""
        done = subprocess.run(
            [str(self.programs / "airflow"), *words],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == status, f"{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def states(self, dag: str) -> dict[Task, str]:
        """Of the only run of a DAG, task by task."""
        return {(task, index): state for task, index, state, _ in self._rows(dag)}

    def tries(self, dag: str) -> dict[Task, int]:
        return {(task, index): tries for task, index, _, tries in self._rows(dag)}

    def run_state(self, dag: str) -> str:
        """Of its only run; empty before there is one."""
        rows = self._query("select state, 0, '', 0 from dag_run where dag_id = ?", dag)
        assert len(rows) <= 1, rows
        return rows[0][0] if rows else ""

    @contextmanager
    def serving(self, **settings: str) -> Iterator[None]:
        """Scheduler and API server, as processes that are gone at the end."""
        environment = self.environment | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        words = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        servers = [self._start(environment, "api-server", *words)]
        try:
            self._await_port()
            servers.append(self._start(environment, "scheduler", "--skip-serve-logs"))
            yield
        finally:
            _end(servers)

    def wait(self, dag: str, seconds: float) -> str:
        """The state of its run when that is over. Fails after so many seconds."""
        deadline = time.monotonic() + seconds
        while (state := self.run_state(dag)) in ("", "queued", "running"):
            assert time.monotonic() < deadline, (self.states(dag), self.logs())
            time.sleep(0.5)
        return state

    def logs(self) -> str:
        """The last lines of its servers."""
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("*.out")))

    def _await_port(self) -> None:
        """A task that finds no API server has failed."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                    return
            except OSError:
                assert time.monotonic() < deadline, self.logs()
                time.sleep(0.3)

    def _start(self, environment: Mapping[str, str], *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{words[0]}.out").open("wb") as out:
            return subprocess.Popen(
                [str(self.programs / "airflow"), *words],
                cwd=self.folder,
                env=environment,
                stdout=out,
                stderr=out,
            )

    def _rows(self, dag: str) -> list[tuple[str, int, str, int]]:
        return self._query(
            "select task_id, map_index, state, try_number from task_instance where dag_id = ?", dag
        )

    def _query(self, text: str, *given: str) -> list[tuple[str, int, str, int]]:
        with sqlite3.connect(f"file:{self.folder / 'airflow.db'}?mode=ro", uri=True, timeout=30) as database:
            return database.execute(text, given).fetchall()


def _end(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Also their workers, and whoever does not heed. Fails when a process outlives even that."""
    family = set().union(*(below(server.pid) for server in servers))
    for server in servers:
        server.terminate()
    for server in servers:
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=END_SECONDS)
    for process in outliving(family):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    for server in servers:
        server.wait(timeout=END_SECONDS)
    assert outliving(family) == set()
