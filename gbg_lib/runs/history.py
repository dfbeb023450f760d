"""The runs that there were: listed, looked up, compared, pruned."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gbg_lib.errors import MisuseError
from gbg_lib.runner import journal
from gbg_lib.runs import result
from gbg_lib.runs.folder import ENVIRONMENT, JOURNAL, RESOLVED, abandoned, begun

GOING_ON, BROKEN, KILLED = "going on", "broken", "killed"


@dataclass(frozen=True)
class Entry:
    """A run in a list."""

    name: str
    runbook: str
    status: str
    """a result's, `going on`, or `broken` where its files can't be read"""
    started: str
    seconds: float
    requests: int
    reason: str


@dataclass(frozen=True)
class Difference:
    what: str
    first: str
    second: str


def entries(runs: Path) -> list[Entry]:
    """Newest first. Folders that are none of a run are left out."""
    found = [_entry(path) for path in runs.glob("*/")] if runs.is_dir() else []
    return sorted(filter(None, found), key=lambda entry: (entry.started, entry.name), reverse=True)


def find(runs: Path, word: str) -> Path:
    """A run by its folder's name, the end or the beginning of it, or `last`. Raises MisuseError."""
    names = [entry.name for entry in entries(runs)]
    if word == "last" and names:
        return runs / names[0]
    if word in names:
        return runs / word
    near = [name for name in names if name.startswith(word) or name.endswith(word)]
    if len(near) == 1:
        return runs / near[0]
    what = f"{word!r} is {len(near)} runs: {', '.join(near[:5])}" if near else f"there is no run {word!r}"
    raise MisuseError("run", what, "`gbg runs` lists them; `last` is the newest")


def facts(path: Path) -> dict[str, Any]:
    """Everything that a run's folder tells of it, as JSON has it."""
    told = journal.read(path / JOURNAL)
    return {
        **(result.read(path) or {"run": path.name, "status": GOING_ON}),
        "parameters": _json(path / RESOLVED),
        "evidence": [
            {"step": one["step"], "seen": one["seen"]} for one in told if one["kind"] == journal.EVIDENCE
        ],
        "files": sorted(file.name for file in path.iterdir() if not file.name.startswith(".")),
    }


def compare(first: Path, second: Path) -> list[Difference]:
    """What differs, of result, parameters, evidence, requests and packages."""
    return [
        Difference(what, before or "—", after or "—")
        for what in sorted({*_flat(first), *_flat(second)})
        if (before := _flat(first).get(what, "")) != (after := _flat(second).get(what, ""))
    ]


def prunable(runs: Path, keep: int, older_than_days: float, now: datetime | None = None) -> list[Entry]:
    """Those over the newest `keep` that began longer ago; never one that goes on."""
    limit = (now or datetime.now(UTC)) - timedelta(days=older_than_days)
    return [
        entry
        for entry in entries(runs)[keep:]
        if entry.status != GOING_ON and datetime.fromisoformat(entry.started) <= limit
    ]


def prune(runs: Path, chosen: Iterable[Entry]) -> None:
    for entry in chosen:
        shutil.rmtree(runs / entry.name)


def _entry(path: Path) -> Entry | None:
    try:
        told = begun(path)
        if told is None:
            return None
        ended = result.read(path) or {"status": KILLED if abandoned(path) else GOING_ON}
        datetime.fromisoformat(told["started"])
        return Entry(
            path.name,
            str(told["runbook"]),
            str(ended["status"]),
            told["started"],
            float(ended.get("seconds", 0.0)),
            sum(ended.get("requests", {}).values()),
            str(ended.get("what", "")).partition("\n")[0],
        )
    except (result.BrokenRun, AttributeError, KeyError, TypeError, ValueError) as error:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return Entry(path.name, "", BROKEN, changed, 0.0, 0, str(error).partition("\n")[0])


def _flat(path: Path) -> dict[str, str]:
    ended = result.read(path) or {}
    packages = path / ENVIRONMENT
    lines = packages.read_text().splitlines() if packages.exists() else []
    seen = {
        f"evidence: {name}": state for one in facts(path)["evidence"] for name, state in one["seen"].items()
    }
    return {
        **{name: str(ended[name]) for name in ("runbook", "status", "what", "seconds") if name in ended},
        **{f"parameter: {name}": str(value) for name, value in _json(path / RESOLVED).items()},
        **{f"requests: {name}": str(count) for name, count in ended.get("requests", {}).items()},
        **seen,
        **{f"package: {line.partition('==')[0]}": line.partition("==")[2] for line in lines if "==" in line},
    }


def _json(path: Path) -> dict[str, Any]:
    return result.read_json(path) or {}
