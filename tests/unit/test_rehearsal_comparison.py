"""Two records are the same when their release went the same way, whatever it was called this time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import EVIDENCE, dumps, loads
from gbg_lib.record.reading import EXAMPLES, FAILED, SUCCEEDED
from gbg_lib.rehearsal.comparison import BEFORE, Comparison, compare
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.steps import by_stream

Edit = Callable[[dict[str, Any]], None]


@cache
def example(name: str = FAILED) -> Archive:
    return open_archive(EXAMPLES / name)


@cache
def asked() -> str:
    """The green machine whose page told no price."""
    [found] = (one for one in example().of("machine.event") if one.data["status"] == "Failed")
    return found.id.split(":")[2]


@cache
def rollback() -> str:
    """The deployment that brought back what served before."""
    [found] = (one.data for one in example().of("deployment") if one.data["creator"] == "codeDeployRollback")
    return str(found["deploymentId"])


@cache
def bake_role() -> str:
    [found] = set(
        re.findall(r"gbg-base-BakeRole-\w+", example().read("files/document-gbg-bake.txt").decode())
    )
    return str(found)


@dataclasses.dataclass(frozen=True)
class Altered:
    """An archive's members with other evidence; its hashes are those of the original."""

    of: Archive
    content: bytes

    where = "altered"

    def sizes(self) -> dict[str, int]:
        return self.of.members.sizes()

    def read(self, name: str) -> bytes:
        return self.content if name == EVIDENCE else self.of.read(name)


def altered(edit: Edit, archive: Archive | None = None) -> Archive:
    """Each line of evidence as `edit` leaves it; one that it empties is gone."""
    archive = archive or example()
    kept = []
    for line in archive.read(EVIDENCE).splitlines():
        told = loads(line, "evidence")
        edit(told)
        if told:
            kept.append(dumps(told))
    return Archive(Altered(archive, ("\n".join(kept) + "\n").encode()))


def compared(edit: Edit) -> Comparison:
    return compare(example(), altered(edit), Likeness())


def replaced(pairs: dict[str, str]) -> Archive:
    text = example().read(EVIDENCE).decode()
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return Archive(Altered(example(), text.encode()))


def test_a_record_is_the_same_as_itself_and_failed_for_the_same_reason() -> None:
    found = compare(example(), example(), Likeness())
    assert found.same
    assert found.same_ending
    assert found.endings[0] is not None
    assert found.endings[0].place == "deployment 1, green: ValidateService"
    assert len(found.pairs) > 70


def test_ids_times_and_addresses_are_no_difference() -> None:
    machines = {one.id.split(":")[2] for one in example().of("machine")}
    names = {old: f"i-{number:017x}" for number, old in enumerate(sorted(machines), 1)}
    told = {
        **names,
        str(example().manifest.summary["started"])[:14]: "2027-01-02T03:",
        example().manifest.summary["deployments"][0]: "d-AAAAAAAAA",
        "123456789012": "210987654321",
        "us-east-1a": "us-east-1c",
        example().manifest.summary["commit"]: "f" * 40,
        bake_role(): "gbg-base-BakeRole-aaaaaaaaaaaa",
    }
    found = compare(example(), replaced(told), Likeness())
    assert found.divergences == ()
    assert found.same_ending


def test_a_status_that_differs_is_found_with_the_five_steps_before_it() -> None:
    def fail(line: dict[str, Any]) -> None:
        if line["id"] == "bake.step:07-listPackages":
            line["data"]["StepStatus"] = "Failed"

    found = compared(fail)
    [pair] = found.divergences
    assert pair.place == "bake: listPackages"
    [difference] = pair.differences
    assert (difference.what, difference.recorded, difference.rehearsed) == ("status", "Success", "Failed")
    assert len(found.before) == BEFORE
    assert all(before.same for before in found.before)
    assert found.before[-1].place == "bake: harden"
    assert not found.same_ending


def test_a_result_that_differs_is_found_though_order_and_status_are_the_same() -> None:
    def another_answer(line: dict[str, Any]) -> None:
        if line["id"].endswith(f"{asked()}:ValidateService"):
            told = line["data"]["diagnostics"]
            told["logTail"] = told["logTail"].replace("no price in EUR", "no price in USD")

    found = compared(another_answer)
    [pair] = found.divergences
    assert [one.what for one in pair.differences] == ["log"]
    assert not found.same_ending, "the same step failed for another reason"


def test_packages_of_the_image_count() -> None:
    def without(line: dict[str, Any]) -> None:
        if line["kind"] == "packages":
            line["data"]["golden"] = [
                one for one in line["data"]["golden"] if not one.startswith("tomcat10-")
            ]

    assert [pair.place for pair in compared(without).divergences] == ["bake: packages of the image"]


@pytest.mark.parametrize("which", ["action", "build.phase", "bake.step", "machine.event"])
def test_a_step_that_is_missing_is_told(which: str) -> None:
    gone = example().of(which)[-1].id

    def forget(line: dict[str, Any]) -> None:
        if line["id"] == gone:
            line.clear()

    [pair] = compared(forget).divergences
    assert pair.rehearsed is None
    assert pair.differences[0].rehearsed == "no such step"


def test_a_step_that_is_new_stands_where_its_lane_had_come_to() -> None:
    def forget(line: dict[str, Any]) -> None:
        if line["id"] == "bake.step:05-installTomcat":
            line.clear()

    found = compare(altered(forget), example(), Likeness())
    [pair] = found.divergences
    assert (pair.place, pair.recorded) == ("bake: installTomcat", None)
    assert found.pairs[found.pairs.index(pair) - 1].lane == "bake"
    assert pair in found.pairs[:20]


def test_machines_that_change_places_are_no_difference() -> None:
    """Which of two machines comes first is a matter of chance; what they went through is not."""
    good = example(SUCCEEDED)
    greens = sorted({one.id.split(":")[2] for one in good.of("machine.event") if one.data["side"] == "Green"})
    text = good.read(EVIDENCE).decode()
    text = text.replace(greens[0], "i-turned").replace(greens[1], greens[0]).replace("i-turned", greens[1])
    assert compare(good, Archive(Altered(good, text.encode())), Likeness()).same


def test_steps_of_a_lane_that_change_places_are_told() -> None:
    def turn(line: dict[str, Any]) -> None:
        places = {"bake.step:05-installTomcat": "bake.step:06-", "bake.step:06-harden": "bake.step:05-"}
        if line["id"] in places:
            line["id"] = places[line["id"]] + line["data"]["StepName"]

    [pair] = compared(turn).divergences
    assert [(one.what, one.recorded, one.rehearsed) for one in pair.differences] == [
        ("order", "installTomcat", "harden")
    ]


def test_durations_do_not_count() -> None:
    def slower(line: dict[str, Any]) -> None:
        if line["id"] == "build.phase:94a3bf0a-7eae-489f-ab36-58a4c258832b:BUILD":
            line["data"]["durationInSeconds"] = 600

    assert compared(slower).same


def test_what_went_on_when_it_was_recorded_has_no_end_to_compare() -> None:
    """A rollback goes on when the pipeline has failed already, and a record may be written then."""

    def early(line: dict[str, Any]) -> None:
        if line["id"] == f"deployment:{rollback()}":
            line["data"] |= {"status": "InProgress", "deploymentOverview": {"InProgress": 2}}
        if line["id"].startswith(f"machine.event:{rollback()}:{asked()}:"):
            line["data"] |= {"status": "Pending"}

    found = compare(altered(early), example(), Likeness())
    assert found.same
    assert len(found.open) == 4
    assert not compare(example(), altered(early), Likeness()).same, "a rehearsal is recorded when it is over"


def test_a_good_and_a_failed_release_part_where_the_second_one_failed() -> None:
    found = compare(example(SUCCEEDED), example(), Likeness(), ("pipeline: Source/Source",))
    assert found.divergences[0].place.endswith("ValidateService")
    assert found.endings[0] is None


def test_a_change_is_expected_in_results_and_never_in_a_status() -> None:
    def another(line: dict[str, Any]) -> None:
        if line["id"] == "bake.step:03-updateSystem":
            line["data"]["ResponseCode"] = "1"

    def failed(line: dict[str, Any]) -> None:
        another(line)
        if line["id"] == "bake.step:03-updateSystem":
            line["data"]["StepStatus"] = "Failed"

    place = "bake: updateSystem"
    assert compare(example(), altered(another), Likeness(), (place,)).same
    assert not compare(example(), altered(failed), Likeness(), (place,)).same


def test_evidence_of_an_odd_shape_is_refused_by_name() -> None:
    def odd(line: dict[str, Any]) -> None:
        if line["kind"] == "action":
            line["data"] = {"stageName": 7}

    with pytest.raises(Exception, match="odd shape"):
        compared(odd)


def stopped(edit: Edit, likeness: Likeness) -> Comparison:
    """Of the release that an alarm stopped, and itself as `edit` leaves its deployment."""
    of = open_archive(EXAMPLES / "failures" / "connections-run-out.zip")

    def on_deployment(line: dict[str, Any]) -> None:
        if line["kind"] == "deployment" and line["data"]["status"] == "Stopped":
            edit(line["data"])

    return compare(of, altered(on_deployment, of), likeness)


@pytest.mark.parametrize("likeness", [Likeness(), Likeness(tools=False)])
def test_how_far_a_deployment_had_come_is_a_difference_and_no_other_reason(likeness: Likeness) -> None:
    found = stopped(lambda data: data.update(deploymentOverview={"Succeeded": 1, "InProgress": 1}), likeness)
    assert [one.place for one in found.divergences] == ["deployments: deployment 1"]
    assert found.same_ending


@pytest.mark.parametrize("likeness", [Likeness(), Likeness(tools=False)])
def test_another_alarm_is_another_reason(likeness: Likeness) -> None:
    def other(data: dict[str, Any]) -> None:
        error = data["errorInformation"]
        error["message"] = error["message"].replace("gbg-target-5xx", "gbg-unhealthy-hosts")

    assert not stopped(other, likeness).same_ending


def test_words_around_an_alarm_are_awss() -> None:
    def reworded(data: dict[str, Any]) -> None:
        data["errorInformation"]["message"] = "Some alarms were on. Activated alarms: <gbg-target-5xx>"

    assert stopped(reworded, Likeness(tools=False)).same
    assert not stopped(reworded, Likeness()).same


def test_which_stream_of_a_hook_was_read_first_is_no_difference() -> None:
    head = "LifecycleEvent - BeforeInstall\nScript - scripts/prepare.sh\n"
    out, err, end = "[stdout]Looking for the licence\n", "[stderr]FAILED: no licence\n", "Script - next.sh\n"
    assert by_stream(head + err + out + end + err) == by_stream(head + out + err + end + err)
    assert by_stream(head + out + err + end) != by_stream(head + out + end + err)
