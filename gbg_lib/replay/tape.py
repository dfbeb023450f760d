"""The tape of a run: what came from outside, in order, a JSON line each.

    {"replies": 1, "runbook": "01_base_stack"}
    {"door": "aws", "cell": 3, "asks": {"service", "operation", "params"}, "at": …, "reply": …}
    {"door": "aws", "cell": 3, "asks": …, "at": …, "same": 2}         the reply of line 2 once more
    {"door": "aws", "cell": 3, "asks": …, "at": …, "error": …}

A run's kernel writes it ($GBG_REPLIES names the file); with $GBG_MODE=replay it is read instead, and nothing
else is asked. Threads keep their turns: a line says which one asked.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from gbg_lib.errors import GbgError, MisuseError
from gbg_lib.replay import coding
from gbg_lib.replay.divergence import AGAIN, BEFORE, NOTHING, Diverged, differences, diverged, place, words
from gbg_lib.runner import journal
from gbg_lib.secret.values import masking

T = TypeVar("T")

VARIABLE, MODE, REPLAY = "GBG_REPLIES", "GBG_MODE", "replay"
FILE = "replies.jsonl"
VERSION = 1
MOST_BYTES = 200_000_000
"""of a tape, unpacked"""
CLOCKS = frozenset({"now", "tick"})
"""doors whose readings are given back where they fit, and missed by nobody"""
DIVERGED, PLAYED = "diverged", "played"
"""kinds of lines in a journal"""
TURN_SECONDS = 20.0
"""how long a thread waits for another one's turn"""
DIGESTS = frozenset({"ChecksumSHA256", "ContentMD5", coding.HASH, "$length"})


class Recording:
    """Writes a tape."""

    def __init__(self, path: Path) -> None:
        self.cell = 0
        """which code cell runs; 0 between and after them"""
        self._cells = 0
        self._file = path.open("a", encoding="utf-8", buffering=1)
        weakref.finalize(self, self._file.close)
        self._turn = threading.Lock()
        self._lines = 1
        self._there: dict[str, int] = {}

    def begin_cell(self) -> None:
        self._cells += 1
        self.cell = self._cells

    def end_cell(self) -> None:
        self.cell = 0

    def keep(self, door: str, question: Mapping[str, Any], **answer: Any) -> None:
        """`answer` is a reply or an error, and what else a line has."""
        thread = thread_name()
        line: dict[str, Any] = {"door": door, "cell": self.cell, **({"thread": thread} if thread else {})}
        if question:
            line["asks"] = coding.question(question, masking())
        if door not in CLOCKS:
            line["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._turn:
            self._lines += 1
            self._file.write(coding.dumps(line | self._shortened(answer)) + "\n")

    def _shortened(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Polling gets the same reply again and again: it is kept once."""
        if "reply" not in answer:
            return answer
        kept = coding.reply(answer.pop("reply"), masking())
        text = coding.dumps(kept)
        first = self._there.setdefault(hashlib.sha256(text.encode()).hexdigest(), self._lines)
        return answer | (
            {"reply": kept} if first == self._lines or len(text) < len('"same":1') else {"same": first}
        )


class Playing:
    """Gives a tape's answers back, in order."""

    def __init__(self, lines: list[dict[str, Any]], *, cut: bool = False) -> None:
        self.cell = 0
        self.cut = cut
        """whether the recording ended in the middle, with its run"""
        self.failure: Diverged | None = None
        self._lines = lines
        self._next = 0
        self._moved = threading.Condition()
        self._before: deque[str] = deque(maxlen=BEFORE)
        self._readings: dict[str, Any] = {}
        self._masked = False

    def take(self, door: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """The line that answers. Raises Diverged, again and again."""
        asked = json.loads(json.dumps(coding.question(question, masking())))
        with self._moved:
            self._await_turn()
            line = self._here()
            if line is None or line["door"] != door or not self._same(line.get("asks", {}), asked):
                raise self._fails(line, door, asked)
            self._advance()
            self._before.append(f"cell {line['cell']} | {words(door, asked)}")
            self._masked = self._masked or coding.was_masked(line.get("reply"))
        return line

    def reading(self, door: str) -> Any:
        """A clock's: the recorded one where there is one here, else the last."""
        with self._moved:
            line = self._next_line()
            while line is not None and line["door"] in CLOCKS and _thread(line) == thread_name():
                self._advance()
                if line["door"] == door:
                    return line["reply"]
                line = self._next_line()
            return self._readings.get(door, 0.0 if door == "tick" else self._time())

    def waited(self, over: Callable[[], bool]) -> bool:
        """Until it is this thread's turn (False), or `over` (True); a turn that it had came before that."""
        with self._moved:
            while True:
                line = self._next_line()
                if line is not None and _thread(line) == thread_name():
                    return False
                if over():
                    return True
                self._moved.wait(0.05)

    def page_is_next(self) -> bool:
        with self._moved:
            self._await_turn()
            line = self._here()
            return line is not None and "page" in line.get("asks", {})

    def begin_cell(self) -> None:
        self.cell += 1

    def end_cell(self) -> None:
        """Raises Diverged where the cell left replies of its own."""
        with self._moved:
            self._await_turn()
            line = self._here()
            if self.failure is None and line is not None and 0 < line["cell"] <= self.cell:
                raise self._fails(line, "", {})

    def left(self) -> list[str]:
        """What was recorded in cells and is not asked for."""
        rest = [line for line in self._lines[self._next :] if line["cell"] and line["door"] not in CLOCKS]
        return [words(line["door"], line.get("asks", {})) for line in rest if not _thread(line)]

    def _await_turn(self) -> None:
        """Lets other threads take what was theirs before."""
        if self.failure is not None:
            raise self.failure
        waits = 0.0
        while (line := self._here()) is not None and _thread(line) != thread_name() and waits < TURN_SECONDS:
            self._moved.wait(0.05)
            waits += 0.05

    def _here(self) -> dict[str, Any] | None:
        """The next line, past clocks of this thread that nobody read."""
        line = self._next_line()
        while line is not None and line["door"] in CLOCKS and _thread(line) == thread_name():
            self._advance()
            line = self._next_line()
        return line

    def _next_line(self) -> dict[str, Any] | None:
        return self._lines[self._next] if self._next < len(self._lines) else None

    def _advance(self) -> None:
        line = self._lines[self._next]
        if line["door"] in CLOCKS:
            self._readings[line["door"]] = line["reply"]
        self._next += 1
        self._moved.notify_all()

    def _time(self) -> str:
        """About when it was, by the last answer."""
        told = [line["at"] for line in self._lines[: self._next + 1] if "at" in line]
        return str(told[-1] if told else datetime.now(UTC).isoformat())

    def _same(self, recorded: Any, asked: Any) -> bool:
        if self._masked:
            recorded, asked = _without_digests(recorded), _without_digests(asked)
        return bool(recorded == asked)

    def _fails(self, line: dict[str, Any] | None, door: str, asked: Mapping[str, Any]) -> Diverged:
        if line is None and self.cut:
            where = place(self.cell)
            self.failure = Diverged(where, ENDED, "nothing more was recorded of this run")
        else:
            recorded = line.get("asks", {}) if line else {}
            named = words(line["door"], recorded) + _where(line, self.cell) if line else f"{NOTHING} more"
            here = words(door, asked) if door else f"{NOTHING} more in this cell"
            same = (
                bool(line) and line is not None and line["door"] == door and _name(recorded) == _name(asked)
            )
            more = differences(recorded, asked) if same else []
            self.failure = diverged(named, here, self.cell, self._before, more)
        journal.tell(
            DIVERGED, where=self.failure.where, what=self.failure.what, cut=bool(line is None and self.cut)
        )
        self._moved.notify_all()
        return self.failure


ENDED = "here the recording ends, as its run did"
_open: dict[tuple[str, str], Recording | Playing] = {}
_opening = threading.Lock()


def current() -> Recording | Playing | None:
    """The tape of this process, if it has one."""
    path, mode = os.environ.get(VARIABLE, ""), os.environ.get(MODE, "")
    if not path:
        return None
    with _opening:
        if (path, mode) not in _open:
            playing_it = mode == REPLAY
            _open[path, mode] = play(Path(path)) if playing_it else Recording(Path(path))
        return _open[path, mode]


def playing() -> bool:
    return isinstance(current(), Playing)


def asked(door: str, question: Mapping[str, Any], ask: Callable[[], T]) -> T:
    """What came through a door: asked now, and kept where a run keeps its replies; or as it was kept.

    The answer is what JSON knows, and times and bytes. An error of ours is kept and raised again.
    """
    tape = current()
    if isinstance(tape, Playing):
        return answered(tape.take(door, question))  # type: ignore[no-any-return]
    try:
        answer = ask()
    except GbgError as error:
        if tape is not None:
            kept = {
                "kind": type(error).__name__,
                "where": error.where,
                "what": error.what,
                "try": error.try_this,
            }
            tape.keep(door, question, error=masking().value(kept))
        raise
    if tape is not None:
        tape.keep(door, question, reply=answer)
    return answer


def answered(line: Mapping[str, Any]) -> Any:
    """A line's reply. Raises its error, one of ours."""
    if "error" not in line:
        return coding.back(line["reply"])
    told = line["error"]
    kinds = {kind.__name__: kind for kind in _kinds(GbgError)}
    raise kinds.get(told["kind"], GbgError)(told["where"], told["what"], told["try"])


def start(path: Path, runbook: str) -> None:
    """An empty tape."""
    path.write_text(coding.dumps({"replies": VERSION, "runbook": runbook}) + "\n")


def play(path: Path, *, cut: bool | None = None) -> Playing:
    """Raises MisuseError for what is no tape of ours."""
    lines = read(path)
    return Playing(lines, cut=bool(os.environ.get(CUT)) if cut is None else cut)


CUT = "GBG_REPLIES_CUT"
"""set where the run was ended before its notebook was"""


def read(path: Path) -> list[dict[str, Any]]:
    """Every line with its reply, without the first. Raises MisuseError: none of ours, newer, broken."""
    text = content(path).decode(errors="replace")
    numbered = [_line(path, number, one) for number, one in enumerate(text.splitlines(), 1)]
    head = numbered[0] if numbered else {}
    if not isinstance(head.get("replies"), int):
        raise MisuseError(str(path), "it is no tape of a run", f"a run's folder has one: {FILE}")
    if head["replies"] > VERSION:
        raise MisuseError(
            str(path),
            f"its format is {head['replies']}, and {VERSION} is read here",
            "take a newer golden-blue-green",
        )
    for number, line in enumerate(numbered[1:], 2):
        if "same" in line:
            line["reply"] = _earlier(path, numbered, number)
        if (
            not isinstance(line.get("door"), str)
            or not isinstance(line.get("cell"), int)
            or not ("reply" in line or "error" in line)
        ):
            raise MisuseError(
                f"{path}:{number}", "it is no line of a tape", "it was altered; record the run again"
            )
    return numbered[1:]


def content(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """As it was written. Raises MisuseError for a packed one that is damaged, or longer than any."""
    if path.stat().st_size > most_bytes:
        raise _too_long(path, f"it is over {most_bytes} bytes")
    raw = path.read_bytes()
    if path.suffix != ".xz":
        return raw
    unpacking = lzma.LZMADecompressor()
    try:
        text = unpacking.decompress(raw, most_bytes)
    except lzma.LZMAError as error:
        raise MisuseError(str(path), f"it can't be unpacked: {error}", "it was cut off or altered") from error
    if not unpacking.eof:
        raise _too_long(path, f"it is cut off, or over {most_bytes} bytes")
    return text


def _too_long(path: Path, what: str) -> MisuseError:
    return MisuseError(str(path), what, "don't trust it; record the run again")


def thread_name() -> str:
    """Empty for the main one."""
    thread = threading.current_thread()
    return "" if thread is threading.main_thread() else thread.name


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MisuseError(
            f"{path}:{number}", f"no JSON: {error}", "it was cut off or altered; record the run again"
        ) from error
    return found if isinstance(found, dict) else {}


def _earlier(path: Path, numbered: list[dict[str, Any]], number: int) -> Any:
    first = numbered[number - 1]["same"]
    if not isinstance(first, int) or not 1 < first < number or "reply" not in numbered[first - 1]:
        raise MisuseError(
            f"{path}:{number}", "it points at no earlier reply", "it was altered; record the run again"
        )
    return numbered[first - 1]["reply"]


def _thread(line: Mapping[str, Any]) -> str:
    return str(line.get("thread", ""))


def _name(question: Mapping[str, Any]) -> tuple[Any, ...]:
    return question.get("service"), question.get("operation")


def _where(line: Mapping[str, Any], cell: int) -> str:
    return "" if line["cell"] == cell else f" (in {place(line['cell'])})"


def _without_digests(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_digests(item) for key, item in value.items() if key not in DIGESTS}
    return [_without_digests(item) for item in value] if isinstance(value, list) else value


def _kinds(kind: type[GbgError]) -> list[type[GbgError]]:
    return [kind, *(one for below in kind.__subclasses__() for one in _kinds(below))]


def digest(path: Path) -> str:
    """SHA-256 of what a tape holds; empty where there is none."""
    return hashlib.sha256(content(path)).hexdigest() if path.is_file() else ""


def require_the_same(entries: list[dict[str, Any]]) -> None:
    """That a replay's journal tells of no divergence. Raises the first one."""
    for one in entries:
        if one["kind"] == DIVERGED:
            raise Diverged(one["where"], one["what"], AGAIN)
