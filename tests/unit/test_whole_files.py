"""Texts that are written while their writer goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gbg_lib.runner.whole_files import Newest, write


class Disk:
    """Takes a text when it is let."""

    def __init__(self) -> None:
        self.asked, self.let = threading.Semaphore(0), threading.Semaphore(0)
        self.has: list[str] = []

    def write(self, text: str) -> None:
        self.asked.release()
        self.let.acquire()
        if text == "too much":
            raise OSError("No space left on device")
        self.has.append(text)


def test_the_newest_is_there_in_the_end_and_what_it_overtook_was_never_written() -> None:
    disk = Disk()
    newest = Newest(disk.write)
    newest.put("first")
    disk.asked.acquire()
    for text in ("second", "third", "fourth"):
        newest.put(text)
    assert disk.has == []
    disk.let.release(2)
    newest.settle()
    assert disk.has == ["first", "fourth"]


def test_what_could_not_be_written_is_told_once_by_the_next_call() -> None:
    disk = Disk()
    newest = Newest(disk.write)
    disk.let.release(2)
    newest.put("too much")
    with pytest.raises(OSError, match="No space left"):
        newest.settle()
    newest.put("enough")
    newest.settle()
    assert disk.has == ["enough"]


def test_who_has_nothing_to_write_waits_for_nothing() -> None:
    Newest(Disk().write).settle()


def test_a_file_that_can_not_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write(path, "a lone surrogate \ud800")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]  # on a full disk a part would be in the next one's way
