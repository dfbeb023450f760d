"""How the CloudWatch agent follows files: in what order, from where on, and what a restart remembers."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MACHINES = Path(__file__).parents[2] / "gbg_sandbox/machines"
LIBRARY = MACHINES / "packages/amazon-cloudwatch-agent/usr/lib/gbg-guest"
Follow = Callable[[], Any]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """A new start of the agent, looking at app*.log."""
    sys.path.insert(0, str(LIBRARY))
    tail = importlib.import_module("cloudwatch_agent.tail").Tail
    yield lambda: tail(str(tmp_path / "app*.log"), str(tmp_path / "state"))
    sys.path.remove(str(LIBRARY))


def append(path: Path, text: str, newer_by_seconds: float = 0) -> None:
    with path.open("a") as file:
        file.write(text)
    status = path.stat()
    os.utime(path, (status.st_atime, status.st_mtime + newer_by_seconds))


def test_a_line_counts_when_its_end_has_come(tmp_path: Path, follow: Follow) -> None:
    tail = follow()
    assert tail.read() == []
    append(tmp_path / "app.log", "one\n\ntw")
    assert tail.read() == [b"one"]
    append(tmp_path / "app.log", "o\r\n")
    assert tail.read() == [b"two"]


def test_a_restart_goes_on_behind_what_was_delivered(tmp_path: Path, follow: Follow) -> None:
    append(tmp_path / "app.log", "delivered\n")
    tail = follow()
    tail.read()
    tail.confirm()
    append(tmp_path / "app.log", "read\n")
    assert tail.read() == [b"read"]
    assert follow().read() == [b"read"]


def test_a_file_begun_anew_is_read_from_its_beginning(tmp_path: Path, follow: Follow) -> None:
    path = tmp_path / "app.log"
    append(path, "builder\n")
    tail = follow()
    tail.read()
    tail.confirm()
    with path.open("w") as file:
        file.write("instance\nand more than before\n")
    assert follow().read() == [b"instance", b"and more than before"]


def test_truncation_and_rotation_lose_nothing(tmp_path: Path, follow: Follow) -> None:
    path = tmp_path / "app.log"
    append(path, "a long first line\n")
    tail = follow()
    assert tail.read() == [b"a long first line"]
    os.truncate(path, 0)
    append(path, "short\n")
    assert tail.read() == [b"short"]
    append(path, "unfinished")
    path.rename(tmp_path / "old")
    append(path, "next\n")
    assert [tail.read(), tail.read()] == [[b"unfinished"], [b"next"]]


def test_the_newest_file_is_read_after_the_rest_of_the_one_before(tmp_path: Path, follow: Follow) -> None:
    append(tmp_path / "app.1.log", "old\n", -100)
    append(tmp_path / "app.2.log", "first\n", -50)
    append(tmp_path / "app.0.log.gz", "packed\n")
    tail = follow()
    assert tail.read() == [b"first"]
    append(tmp_path / "app.2.log", "rest\n", -40)
    append(tmp_path / "app.3.log", "second\n")
    assert [tail.read(), tail.read(), tail.read()] == [[b"rest"], [b"second"], []]
    append(tmp_path / "app.2.log", "late\n", 50)
    assert tail.read() == [b"late"]


def test_a_line_longer_than_an_event_is_cut(tmp_path: Path, follow: Follow) -> None:
    append(tmp_path / "app.log", "x" * 300_000 + "\nend\n")
    tail = follow()
    assert [len(line) for line in tail.read()] == [256 * 1024 - 26]
    assert tail.read()[-1] == b"end"
