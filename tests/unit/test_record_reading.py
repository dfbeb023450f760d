"""The kept example records tell their story, from themselves alone."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gbg_lib.errors import MisuseError
from gbg_lib.parameters import Parameters
from gbg_lib.record import compare, decisions, failure, reading, story
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import Evidence, RecordError
from gbg_lib.record.notes import add_note, notes
from gbg_lib.record.reading import EXAMPLES, FAILED, SUCCEEDED, Read
from gbg_lib.record.verify import Finding, verify
from gbg_lib.views import (
    everything,
    failure_view,
    record_chart,
    record_table,
    releases_table,
    replay_banner,
    story_table,
)
from gbg_lib.views.record_page import escaped, markdown, page, write_pages
from gbg_lib.views.releases import rates, releases
from tests.unit.record_fakes import BEGIN, evidence, manifest, store, summary

HOSTILE = "<script>alert(1)</script> [x](http://evil.example) \x1b[31mred\x1b[0m \u202egnp.exe | `x`"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no credentials."""

    def refused(*words: object, **named: object) -> None:
        raise AssertionError("a record is read without a network")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "GBG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def example(offline: None) -> Read:
    return reading.read(Parameters())


@pytest.fixture
def hostile(tmp_path: Path) -> Read:
    """A record whose every text attacks its reader."""
    odd = [
        Evidence(
            "machine.event",
            f"machine.event:{HOSTILE}",
            "codedeploy:batch_get_deployment_targets",
            {
                "machine": HOSTILE,
                "side": "Green",
                "lifecycleEventName": HOSTILE,
                "status": "Failed",
                "diagnostics": {
                    "scriptName": HOSTILE,
                    "message": HOSTILE,
                    "logTail": f"```\n</pre>{HOSTILE}\n",
                },
            },
            BEGIN,
            BEGIN,
        ),
    ]
    made = store(tmp_path, 0)
    made.write(manifest(0, message=HOSTILE, status="Failed"), evidence(0, *odd), {})
    return reading.read(Parameters(record=str(made.folders()[0])))


def test_the_kept_examples_are_whole() -> None:
    for name in (FAILED, SUCCEEDED):
        assert verify(open_archive(EXAMPLES / name)).findings == ()


def test_the_story_of_a_failed_release_is_told_in_a_dozen_moments(example: Read) -> None:
    told = story.moments(example.archive)
    keys = story.key_moments(told)
    assert 5 <= len(keys) <= story.MOST_KEYS < len(told)
    words = [one.what for one in keys]
    assert words[0].endswith("begins: Ask the page for its price (a push, gbg-push)")
    assert "the release is over: Failed" in words
    assert any("ValidateService failed" in one for one in words)
    assert any("a rollback by CodeDeploy" in one for one in words)
    assert told == sorted(told, key=lambda one: one.at)


def test_the_first_failure_is_the_hook_and_not_what_followed(example: Read) -> None:
    found = failure.first_failure(example.archive)
    assert found is not None
    assert re.fullmatch(r"i-\w+ \(Green\), ValidateService, scripts/validate.sh", found.where)
    assert "[stderr]the page tells no price in EUR" in found.log


def test_a_good_release_has_no_failure_and_turns_from_blue_to_green() -> None:
    archive = open_archive(EXAMPLES / SUCCEEDED)
    assert failure.first_failure(archive) is None
    words = " / ".join(one.what for one in story.key_moments(story.moments(archive)))
    assert "green serves" in words
    assert "blue is out" in words
    assert words.endswith("the release is over: Succeeded")


@pytest.mark.parametrize(("minutes", "where"), [(-1, ""), (1, "alarm gbg-unhealthy-hosts")])
def test_an_alarm_is_a_failure_of_the_release_it_fired_in(minutes: int, where: str) -> None:
    archive = open_archive(EXAMPLES / SUCCEEDED)
    [execution] = archive.of("execution")
    assert execution.at is not None
    told = {"AlarmName": "gbg-unhealthy-hosts", "HistorySummary": "Alarm updated from OK to ALARM"}
    at = execution.at + timedelta(minutes=minutes)
    archive.by_kind["alarm.change"] = [Evidence("alarm.change", "a", "cloudwatch:history", told, at)]
    found = failure.first_failure(archive)
    assert (found.where if found else "") == where
    keys = story.key_moments(story.moments(archive))
    assert any("to ALARM" in one.what for one in keys) == bool(where)


def test_what_changed_names_commit_file_and_image(example: Read) -> None:
    assert example.former is not None
    found = compare.differences(example.archive, example.former)
    told = {(one.what, one.name) for one in found}
    assert ("file", "scripts/validate.sh") in told
    assert ("image", "golden") in told
    assert any(one.what == "commit" and "Ask the page for its price" in one.after for one in found)
    assert not any(one.what in ("package", "template") for one in found), "same catalogue, same templates"


def test_packages_are_told_apart_by_name_and_version(example: Read) -> None:
    found = compare.packages(example.archive)
    assert found["ruby.x86_64"] if "ruby.x86_64" in found else len(found) > 40
    assert all("-" in version for version in found.values())


def test_who_decided_is_told_with_the_push_and_the_roles(example: Read) -> None:
    found = decisions.decisions(example.archive)
    assert any(one.what.startswith("commits") for one in found)
    assert any("sets the release going" in one.what for one in found)
    assert any("starts a deployment" in one.what and "PipelineRole" in one.who for one in found)


def test_everything_is_a_table_with_a_row_a_moment(example: Read) -> None:
    table = everything(example.archive)
    assert len(table) == len(story.moments(example.archive))
    assert table._repr_html_().startswith("<details>")
    assert len(repr(table).splitlines()) == len(table) + 1


def test_the_picture_says_the_same_as_text(example: Read) -> None:
    chart = record_chart(example.archive)
    assert "Ask the page for its price: Failed" in chart.words
    assert chart._repr_png_()[0].startswith(b"\x89PNG")
    labels = [text.get_text() for text in chart.figure().axes[0].get_yticklabels()]
    assert labels[:4] == ["Source", "BuildGoldenAMI", "Build", "Deploy"]


def test_blue_serves_on_in_the_picture_of_a_failed_release(example: Read) -> None:
    blue, green = record_chart(example.archive).figure().axes[2].get_lines()
    assert {float(count) for count in np.asarray(blue.get_ydata())} == {2.0}
    assert {float(count) for count in np.asarray(green.get_ydata())} == {0.0}


def test_requests_have_the_colour_of_who_served() -> None:
    """Blue's before the switch, green's after it, and shared by their machines in the second of it."""
    drawn = record_chart(open_archive(EXAMPLES / SUCCEEDED)).figure().axes[1].collections
    all_, blue = ([np.asarray(path.vertices)[:, 1].max() for path in one.get_paths()] for one in drawn)
    assert [one.get_label() for one in drawn] == ["requests/s (green)", "requests/s (blue)"]
    shares = [part / whole for part, whole in zip(blue, all_, strict=True) if whole]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)
    assert len({share for share in shares if 0 < share < 1}) <= 3


def test_a_machine_that_drains_for_minutes_gets_no_requests() -> None:
    archive = open_archive(EXAMPLES / SUCCEEDED)
    events = archive.of("machine.event")
    leaving = [one for one in events if one.data["lifecycleEventName"] == "BlockTraffic" and one.until]
    for one in leaving:
        assert one.until is not None
        events[events.index(one)] = replace(one, until=one.until + timedelta(minutes=5))
    archive.by_kind["machine.event"] = events
    blue, _ = record_chart(archive).figure().axes[2].get_lines()
    [execution] = archive.of("execution")
    assert execution.at is not None and leaving
    left = [(one.at - execution.at).total_seconds() for one in leaving if one.at]
    assert list(np.asarray(blue.get_xdata())[1:-1]) == sorted(left)


def test_the_evidence_is_one_line_for_pandas(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(open_archive(EXAMPLES / FAILED).read("evidence.jsonl"))
    assert {"kind", "id", "at", "data"} <= set(pd.read_json(path, lines=True).columns)


def test_both_pages_are_written_and_need_nothing_else(example: Read, tmp_path: Path) -> None:
    html, text = write_pages(example, tmp_path)
    assert "the page tells no price in EUR" in html.read_text()
    assert "the page tells no price in EUR" in text.read_text()
    loaded = re.findall(r"(?:src|href)=\"([^\"]{5})", html.read_text())
    assert loaded == ["data:"]


class TestAnAlarm:
    """A release that visitors' errors stopped."""

    @pytest.fixture
    def archive(self) -> Archive:
        return open_archive(EXAMPLES / "failures" / "connections-run-out.zip")

    def test_is_told_by_what_it_measured_and_how_many_saw_errors(self, archive: Archive) -> None:
        found = failure.first_failure(archive)
        assert found is not None
        assert (found.where, found.what) == ("alarm gbg-target-5xx", "The application answers with errors")
        assert found.log[0].startswith("Threshold Crossed: 2 out of the last 2 datapoints")
        assert re.fullmatch(r"visitors got errors of the application: \d+ in all, from .* on", found.log[1])

    def test_comes_after_the_errors_and_they_after_green_serves(self, archive: Archive) -> None:
        told = [one.what for one in story.key_moments(story.moments(archive))]
        places = [
            next(number for number, what in enumerate(told) if words in what)
            for words in ("green serves", "visitors get errors", "gbg-target-5xx", "a rollback by CodeDeploy")
        ]
        assert places == sorted(places)

    def test_has_its_bar_where_it_was_on(self, archive: Archive) -> None:
        axes = record_chart(archive).figure().axes[3]
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert "gbg-target-5xx" in names
        begin = archive.of("execution")[0].at
        fired = next(
            one.at
            for one in archive.of("alarm.change")
            if one.data["AlarmName"] == "gbg-target-5xx" and "to ALARM" in one.data["HistorySummary"]
        )
        assert begin is not None and fired is not None
        lefts = [
            np.asarray(path.vertices)[:, 0].min() for bars in axes.collections for path in bars.get_paths()
        ]
        assert any(abs(left - (fired - begin).total_seconds()) < 0.01 for left in lefts)
        assert all(left >= 0 for left in lefts), "what was on before the release is no part of its picture"

    def test_roles_of_the_deployment_decided_nothing_before_it_began(self, archive: Archive) -> None:
        begin = archive.of("execution")[0].at
        assert begin is not None
        early = [one for one in decisions.decisions(archive) if one.at is not None and one.at < begin]
        assert early, "people did"
        assert all("assumed-role/gbg-" not in one.who for one in early)


def test_the_pages_begin_with_which_release_it_was_whose_commit_and_what_set_it_going(example: Read) -> None:
    summary = example.archive.manifest.summary
    begun = str(summary["started"])[:19].replace("T", " ")
    told = (
        f"Deployment gbg, {begun}",
        f"commit {summary['commit'][:8]} by golden-blue-green",
        "a push, gbg-push",
    )
    for shown in (page(example).partition("<h2>")[0], markdown(example).partition("## ")[0]):
        assert all(words in shown for words in told)


def test_a_record_that_was_altered_says_so_before_anything_else(example: Read) -> None:
    assert "not what was recorded" not in page(example) + repr(replay_banner(example))
    findings = (Finding(example.archive.name, "evidence.jsonl", "it was altered <b>"),) * 2
    altered = replace(example, verified=replace(example.verified, findings=findings))
    words = "It is not what was recorded: evidence.jsonl: it was altered"
    assert f"<p><b>{words} &lt;b&gt;, and 1 more.</b></p>" in page(altered).partition("<h2>")[0]
    assert words in repr(replay_banner(altered))
    assert words.replace("_", "\\_") in markdown(altered).partition("## ")[0]


def test_a_hostile_record_is_shown_as_text(hostile: Read) -> None:
    told = page(hostile)
    assert "<script" not in told.replace("&lt;script", "")
    assert "<img alt" in told and told.count("<img") == 1
    for line in markdown(hostile).splitlines():
        assert line.startswith("    ") or "[x](" not in line
    for shown in (told, markdown(hostile), repr(story_table(hostile.archive)), repr(record_table(hostile))):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "\x1b" not in repr(failure_view(hostile.archive)) + repr(record_chart(hostile.archive))


def test_markdown_of_others_is_escaped() -> None:
    assert escaped("a|b <i> [x](http://e) `c`") == r"a\|b \<i\> \[x\](http\://e) \`c\`"


@pytest.mark.parametrize(
    "data", [{"status": 1}, {"lifecycleEventName": "x", "status": "Failed", "diagnostics": []}, {}]
)
def test_evidence_of_an_odd_shape_is_refused(tmp_path: Path, data: dict[str, object]) -> None:
    odd = Evidence("machine.event", "machine.event:x", "codedeploy:x", data, BEGIN, BEGIN)
    made = store(tmp_path, 0)
    made.write(manifest(0), evidence(0, odd), {})
    archive = made.open(made.names()[0])
    with pytest.raises(RecordError, match="odd shape"):
        story.moments(archive)


def test_notes_hang_on_evidence_and_leave_the_record_alone(tmp_path: Path) -> None:
    folder = store(tmp_path).folders()[0]
    before = (folder / "evidence.jsonl").read_bytes()
    add_note(folder, open_archive(folder), "execution", "the price list had moved", "ada")
    archive = open_archive(folder)
    [note] = notes(archive)
    assert (note.evidence, note.by, note.text) == ("execution", "ada", "the price list had moved")
    assert verify(archive).findings == ()
    assert (folder / "evidence.jsonl").read_bytes() == before
    with pytest.raises(MisuseError, match="no evidence 'exec'"):
        add_note(folder, archive, "exec", "x", "ada")
    (folder / "notes.jsonl").write_text('{"text": 1}\n')
    with pytest.raises(RecordError, match="no note"):
        notes(open_archive(folder))


def test_a_record_is_found_by_execution_path_and_newest(tmp_path: Path, offline: None) -> None:
    kept = store(tmp_path, 3)
    newest = reading.read(Parameters(record="newest"), tmp_path)
    assert newest.archive.name == kept.names()[-1]
    assert newest.former is not None and newest.former.name == kept.names()[-2]
    by_id = reading.read(Parameters(record=str(newest.archive.manifest.execution_id)), tmp_path)
    assert by_id.archive.name == newest.archive.name
    with pytest.raises(MisuseError, match="no execution"):
        reading.read(Parameters(record="nothing"), tmp_path)
    with pytest.raises(MisuseError, match="no record's address"):
        reading.read(Parameters(record="s3://bucket/../x"), tmp_path)


class TestManyReleases:
    def test_four_figures(self) -> None:
        statuses = ["Succeeded", "Failed", "Failed", "Succeeded", "Succeeded"]
        told = rates(releases(summary(number, status=status) for number, status in enumerate(statuses)))
        assert told["releases"] == "5"
        assert told["change failure rate"] == "40%"
        assert told["lead time, median"] == "6 min 0 s"
        assert told["time to restore, median"] == "2 h 0 min", "from the end of the first failure"
        assert told["deployment frequency"] == "3 within 4 h 0 min"
        assert told["stage Build, median and 95 %"] == "1 min 0 s, 1 min 0 s"

    def test_frequency_by_the_day(self) -> None:
        told = rates(releases(summary(24 * number) for number in range(8)))
        assert told["deployment frequency"] == "1.0 a day"

    def test_nothing_to_count_is_no_error(self) -> None:
        assert rates(releases([]))["change failure rate"] == "-"
        assert "(no rows)" in repr(releases_table([]))

    def test_the_newest_comes_first(self) -> None:
        table = releases_table([summary(number) for number in range(40)], last=5)
        assert list(table["message"]) == [f"Change {number}" for number in range(39, 34, -1)]

    def test_a_hostile_summary_is_text(self) -> None:
        assert "<script" not in releases_table([summary(0, message=HOSTILE)])._repr_html_()


def test_the_manifest_is_an_in_toto_statement_with_slsa_provenance() -> None:
    """By the required fields of both specifications."""
    told = json.loads(open_archive(EXAMPLES / SUCCEEDED).read("manifest.json"))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    names = [one["name"] for one in told["subject"]]
    assert len(names) == len(set(names)), "names are unique"
    for one in told["subject"]:
        assert re.fullmatch(r"[0-9a-f]{64}", one["digest"]["sha256"])
    assert any(name.endswith(".war") for name in names)
    definition, details = (told["predicate"][name] for name in ("buildDefinition", "runDetails"))
    assert definition["buildType"].startswith("urn:")
    assert definition["externalParameters"]["commit"]
    for one in definition["resolvedDependencies"]:
        assert one.get("uri") or one.get("digest")
    assert details["builder"]["id"].startswith("arn:aws:codepipeline:")
    assert details["metadata"]["invocationId"]
    for name in ("startedOn", "finishedOn"):
        assert pd.Timestamp(details["metadata"][name]).tzinfo is not None
