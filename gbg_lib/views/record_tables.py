"""A record as tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gbg_lib.checks import Check, require
from gbg_lib.record.archive import Archive
from gbg_lib.record.compare import differences
from gbg_lib.record.decisions import decisions
from gbg_lib.record.failure import Failure, first_failure
from gbg_lib.record.gathering import MISSING, still_missing
from gbg_lib.record.notes import notes
from gbg_lib.record.reading import Read
from gbg_lib.record.recorder import Recorded
from gbg_lib.record.store import Store
from gbg_lib.record.story import Moment, key_moments, moments
from gbg_lib.record.verify import verify_all
from gbg_lib.record.words import plain
from gbg_lib.views.checks import checks_table
from gbg_lib.views.table import Table, table, took

MOMENTS = ("time", "after", "what", "took", "evidence")
SHORT = 60


def record_table(read: Read) -> Table:
    """What is being read."""
    told, manifest = read.archive.manifest.summary, read.archive.manifest
    facts = {
        "record": read.archive.name,
        "release": f"{told.get('status')}: {told.get('message')}",
        "commit": told.get("commit"),
        "golden AMI": told.get("image"),
        "began": told.get("started"),
        "pieces of evidence": len(read.archive.evidence),
        "recorded by": manifest.internal.get("recorder", {}).get("arn", "?"),
        "recorded with": ", ".join(f"{name} {of}" for name, of in sorted(manifest.versions.items())[:4]),
        "compared with": read.former.name if read.former else "no earlier release is at hand",
    }
    rows = [{"fact": name, "value": plain(value)} for name, value in facts.items()]
    return table(rows, ["fact", "value"], name="The record")


def verified_table(read: Read) -> Table:
    """The check: every file against its hash."""
    found = [{"file": one.file, "found": one.what} for one in read.verified.findings]
    whole = "every file is as it was written"
    count = f"{len(found)} finding" + ("s" if len(found) != 1 else "")
    title = f"{read.verified.files} files: " + (count if found else f"passed, {whole}")
    return (
        table(found, ["file", "found"], title)
        if found
        else table([{"check": title}], ["check"], name="The check")
    )


def missing_table(archive: Archive) -> Table:
    rows = [
        {"missing": plain(one.data.get("what")), "because": plain(one.data.get("why"))}
        for one in still_missing(archive.of(MISSING))
    ]
    return table(
        rows or [{"missing": "nothing", "because": ""}], ["missing", "because"], name="What is missing"
    )


def story_table(archive: Archive) -> Table:
    """The dozen moments that tell the story."""
    return _moments_table(archive, key_moments(moments(archive)), evidence=False)


def timeline_table(archive: Archive, lane: str = "") -> Table:
    """Everything that has a time; of one lane, where one is named."""
    found = [one for one in moments(archive) if lane in ("", one.lane)]
    return _moments_table(archive, found, evidence=True)


class Everything(Table):
    """A long table that is folded up in a notebook."""

    @property
    def _constructor(self) -> type[Everything]:
        return Everything

    def _repr_html_(self) -> str:
        summary = f"{len(self)} moments, in their order"
        return f"<details><summary>{summary}</summary>\n{super()._repr_html_()}\n</details>"


def everything(archive: Archive) -> Everything:
    """The whole timeline."""
    whole = timeline_table(archive)
    made = Everything(whole)
    made.attrs |= whole.attrs
    return made


def recorded_table(done: Iterable[Recorded]) -> Table:
    """What recording did, a row a release."""
    rows = [
        {
            "release": one.path.name.partition("-")[2],
            "record": one.action,
            "because": one.reason,
            "missing": "; ".join(one.missing) or "nothing",
        }
        for one in done
    ]
    if not rows:
        return table([{"record": "no release is over yet"}], ["record"], name="Records")
    return table(rows, ["release", "record", "because", "missing"], name="Records")


def chain_table(store: Store) -> Table:
    """The check of all records of a deployment, and of their chain. Raises CheckFailed."""
    entries = store.entries()
    verified, found = verify_all(store.folders(), entries[-1].link if entries else None)
    first = f"{found[0].record}/{found[0].file}: {found[0].what}" if found else ""
    return checks_table(
        require(
            [
                Check(
                    "records",
                    not found,
                    first or f"{len(verified)} records are whole, and so is their chain",
                    "take another copy: the bucket keeps every version",
                )
            ]
        )
    )


def _moments_table(archive: Archive, found: Sequence[Moment], *, evidence: bool) -> Table:
    begin = _begin(archive, found)
    rows = [
        {
            "time": clock(one.at),
            "after": took((one.at - begin).total_seconds()) if one.at >= begin else None,
            "what": ("FAILED: " if one.bad else "") + one.what,
            "took": took(one.seconds) if one.until else None,
            "evidence": plain(one.evidence, SHORT),
        }
        for one in found
    ]
    columns = [name for name in MOMENTS if evidence or name not in ("evidence", "took")]
    return table(rows, columns, name="What happened, moment by moment")


def differences_table(read: Read) -> Table:
    """Against the last good release."""
    if read.former is None:
        return table(
            [{"what": "no earlier good release is at hand to compare with"}], ["what"], name="Differences"
        )
    rows = [
        {"what": one.what, "name": one.name, "before": one.before, "after": one.after}
        for one in differences(read.archive, read.former)
    ]
    return table(rows, ["what", "name", "before", "after"], name="Differences from the last good release")


def decisions_table(archive: Archive) -> Table:
    rows = [
        {"time": clock(one.at) if one.at else "", "who": one.who, "what": one.what}
        for one in decisions(archive)
    ]
    return table(rows, ["time", "who", "what"], name="Decisions")


def notes_table(archive: Archive) -> Table:
    rows = [
        {"at": clock(one.at) if one.at else "", "by": one.by, "about": one.evidence, "note": one.text}
        for one in notes(archive)
    ]
    if not rows:
        return table([{"notes": "nobody has written one yet"}], ["notes"], name="Notes")
    return table(rows, ["at", "by", "about", "note"], name="Notes")


class FailureView:
    """Where the first thing went wrong, and the end of its log."""

    def __init__(self, found: Failure | None) -> None:
        self.found = found

    def __repr__(self) -> str:
        if self.found is None:
            return "Nothing failed."
        head = f"{self.found.where}: {self.found.what}"
        return "\n".join([head, *(f"    {line}" for line in self.found.log)])

    def _repr_html_(self) -> str:
        if self.found is None:
            return "<p>Nothing failed.</p>"
        log = html.escape("\n".join(self.found.log))
        head = f"<b>{html.escape(self.found.where)}</b>: {html.escape(self.found.what)}"
        return f"<p>{head}</p>" + (f"\n<pre>{log}</pre>" if log else "")


def failure_view(archive: Archive) -> FailureView:
    return FailureView(first_failure(archive))


def clock(time: datetime) -> str:
    """UTC, to the second."""
    return f"{time.astimezone(UTC):%H:%M:%S}"


def _begin(archive: Archive, found: Sequence[Moment]) -> datetime:
    execution = archive.one("execution")
    if execution is not None and execution.at is not None:
        return execution.at
    return found[0].at if found else datetime.now(UTC)
