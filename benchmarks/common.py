"""What the benchmarks share: a sandbox of their own, and one way to tell what was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.home import PROFILE, Home
from gbg_sandbox.machines import open_machines

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 600


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "load_before": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def tell(title: str, rows: Sequence[dict[str, Any]], **facts: Any) -> None:
    """A table for people, then one line of JSON."""
    shown = [{name: _short(value) for name, value in row.items()} for row in rows]
    names = list(dict.fromkeys(name for row in shown for name in row))
    widths = [max(len(name), *(len(row.get(name, "")) for row in shown)) for name in names]
    lines = [title, "  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True))]
    for row in shown:
        cells = (row.get(name, "").ljust(width) for name, width in zip(names, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    lines += [f"{name}: {_short(value)}" for name, value in facts.items()]
    report = {"benchmark": title, **machine(), "rows": list(rows), **facts}
    sys.stdout.write("\n".join(lines) + "\n" + json.dumps(report) + "\n")


def _short(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


class Sandbox:
    """A sandbox in a folder of its own, driven as a person would: by `./gbg`."""

    def __init__(self, folder: Path) -> None:
        self._environment = {**os.environ, "GBG_HOME": str(folder / "home"), "GBG_RUNS": str(folder / "runs")}
        self._home = Home(folder / "home")

    @property
    def home(self) -> str:
        return str(self._home.folder)

    def gbg(self, *words: str) -> str:
        """The command's output. Raises CalledProcessError."""
        done = subprocess.run(
            [str(ROOT / "gbg"), *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=LIMIT_SECONDS,
        )
        return done.stdout

    def session(self) -> boto3.session.Session:
        os.environ["AWS_CONFIG_FILE"] = str(self._home.config_file)
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(self._home.credentials_file)
        return boto3.session.Session(profile_name=PROFILE)

    def client(self, service: str) -> Any:
        session: Any = self.session()
        return session.client(service)


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Not up yet; down and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="gbg-benchmark-") as folder:
        made = Sandbox(Path(folder))
        try:
            yield made
        finally:
            made.gbg("down")


@contextmanager
def cloud() -> Iterator[Cloud]:
    """A sandbox in this very process, on real machines: what the command line has no word for."""
    with tempfile.TemporaryDirectory(prefix="gbg-benchmark-") as folder:
        made = Cloud(
            Path(folder), open_machines=lambda at, files: open_machines(at, site_files=files), scale=60
        )
        try:
            made.start()
            yield made
        finally:
            made.stop()


def eventually(what: str, done: Callable[[], Any], seconds: float = 120) -> Any:
    """The first true answer of `done`, asked ten times a second. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")
