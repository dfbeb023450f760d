"""Many releases at once: what the index of a store tells, as a table and as four figures.

Deployment frequency, lead time for changes, change failure rate and time to restore are DORA's measures.
https://dora.dev/guides/dora-metrics-four-keys/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from gbg_lib.record.format import odd_is_refused
from gbg_lib.record.words import plain
from gbg_lib.views.table import Table, duration, table, took

COLUMNS = ("started", "status", "message", "commit", "took", "lead time", "machines", "failed at")
Summaries = Iterable[Mapping[str, Any]]
DAY_SECONDS = 86_400.0


@odd_is_refused
def releases(summaries: Summaries) -> pd.DataFrame:
    """A row a release, oldest first, with times as times; seconds of each stage in columns of its name."""
    frame = pd.DataFrame.from_records(list(summaries))
    if frame.empty:
        return pd.DataFrame(columns=["started", "finished", "committed", "status", "seconds"])
    for name in ("started", "finished", "committed"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    frame["seconds"] = (frame["finished"] - frame["started"]).dt.total_seconds()
    stages = pd.DataFrame.from_records(list(frame["stages"])).add_prefix("stage ")
    return pd.concat([frame, stages], axis="columns").sort_values("started", ignore_index=True)


@odd_is_refused
def releases_table(summaries: Summaries, last: int = 30) -> Table:
    """The last so many releases, newest first."""
    frame = releases(summaries).tail(last).iloc[::-1]
    rows = [_row(row) for row in frame.to_dict("records")]
    return table(rows, list(COLUMNS), f"The last {len(frame)} releases")


def _row(told: Mapping[Any, Any]) -> dict[str, object]:
    committed = told["committed"]
    lead = None if pd.isna(committed) else (told["finished"] - committed).total_seconds()
    return {
        "started": f"{told['started']:%Y-%m-%d %H:%M}",
        "status": plain(told["status"]),
        "message": plain(told["message"], 50),
        "commit": plain(told["commit"])[:8],
        "took": took(told["seconds"]),
        "lead time": took(lead),
        "machines": told["machines"],
        "failed at": plain(told["failed"].get("stage", "")),
    }


@odd_is_refused
def rates_table(summaries: Summaries) -> Table:
    """The four figures, and how long each stage takes."""
    frame = releases(summaries)
    figures = [{"figure": name, "value": value} for name, value in rates(frame).items()]
    return table(figures, ["figure", "value"], name="Four figures, and how long stages take")


@odd_is_refused
def rates(frame: pd.DataFrame) -> dict[str, str]:
    """In words; `-` where there is nothing to count."""
    good, over = frame[frame["status"] == "Succeeded"], frame[frame["status"].isin(["Succeeded", "Failed"])]
    lead = (good["finished"] - good["committed"]).dt.total_seconds().dropna() if len(good) else pd.Series()
    restored = restore_seconds(over)
    told = {
        "releases": str(len(frame)),
        "deployment frequency": _frequency(good),
        "lead time, median": _median(lead),
        "change failure rate": f"{1 - len(good) / len(over):.0%}" if len(over) else "-",
        "time to restore, median": _median(restored),
    }
    for name in (column for column in frame.columns if str(column).startswith("stage ")):
        told[f"{plain(name)}, median and 95 %"] = (
            f"{_median(good[name])}, {duration(float(good[name].quantile(0.95)))}" if len(good) else "-"
        )
    return told


def restore_seconds(over: pd.DataFrame) -> pd.Series[float]:
    """From the end of the first failure after a success to the end of the next success."""
    found: list[float] = []
    broken: pd.Timestamp | None = None
    for status, finished in zip(over["status"], over["finished"], strict=True):
        if status == "Failed":
            broken = finished if broken is None else broken
        elif broken is not None:
            found.append((finished - broken).total_seconds())
            broken = None
    return pd.Series(found, dtype=float)


def _frequency(good: pd.DataFrame) -> str:
    """By the day, over the time from the first to the last."""
    if len(good) < 2:
        return "-"
    days = (good["finished"].max() - good["finished"].min()).total_seconds() / DAY_SECONDS
    return (
        f"{(len(good) - 1) / days:.1f} a day"
        if days >= 1
        else f"{len(good)} within {duration(days * DAY_SECONDS)}"
    )


def _median(seconds: pd.Series[float]) -> str:
    return duration(float(seconds.median())) if len(seconds) else "-"
