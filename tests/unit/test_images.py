"""Golden images: lineage, packages, keep rules, pruning, revocation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gbg_lib.errors import AwsError, CheckFailed, GateRefused, MisuseError, NotThere
from gbg_lib.images import (
    PackageList,
    difference,
    golden_images,
    package_list,
    plan_pruning,
    plan_reinstatement,
    plan_revocation,
    prune,
    read_lineage,
    reinstate,
    revoke,
)
from gbg_lib.images.golden import REVOKED
from gbg_lib.images.pruning import Releases, check_pruned, named_by_records
from gbg_lib.images.revocation import check_revoked
from gbg_lib.record.format import RecordError
from tests.unit.image_fakes import AMAZON, FakeImages


@pytest.fixture
def cloud() -> FakeImages:
    """Three bakes; the second was made from the first. The third serves."""
    made = FakeImages()
    made.bake("ami-1", commit="c1")
    made.bake("ami-2", "ami-1", commit="c2")
    made.bake("ami-3", commit="c3")
    made.groups["CodeDeploy_gbg-fleet_d-3"] = "4"
    made.machines["i-3"] = ("ami-3", "CodeDeploy_gbg-fleet_d-3")
    return made


def revoked(cloud: FakeImages, image: str) -> str:
    found = read_lineage(cloud.aws, "gbg", also=image).revocation(image)
    return found.words if found else ""


class TestLineage:
    def test_goes_up_to_amazons_image_and_down_over_generations(self, cloud: FakeImages) -> None:
        lineage = read_lineage(cloud.aws, "gbg")
        assert [image.id for image in lineage.images] == ["ami-3", "ami-2", "ami-1"]
        assert lineage.ancestors("ami-2") == ["ami-1", AMAZON]
        assert [image.id for image in lineage.descendants(AMAZON)] == ["ami-1", "ami-2", "ami-3"]
        assert [image.id for image in lineage.descendants("ami-1")] == ["ami-2"]

    def test_a_parent_that_is_gone_is_still_named(self, cloud: FakeImages) -> None:
        del cloud.images["ami-1"]
        assert read_lineage(cloud.aws, "gbg").ancestors("ami-2") == ["ami-1"]

    def test_images_in_a_ring_end(self, cloud: FakeImages) -> None:
        cloud.tags("ami-1")["gbg:source-ami"] = "ami-2"
        assert read_lineage(cloud.aws, "gbg").ancestors("ami-2") == ["ami-1"]

    def test_another_deployments_image_is_not_ours(self, cloud: FakeImages) -> None:
        cloud.bake("ami-9", deployment="shop")
        with pytest.raises(NotThere, match="gbg has no such image"):
            read_lineage(cloud.aws, "gbg").image("ami-9")


class TestPackages:
    def test_an_image_tells_its_own_list_and_its_sources(self, cloud: FakeImages) -> None:
        cloud.list_packages("ami-1", ["bash-5.2-2.amzn2023.x86_64"], ["bash-5.2-1.amzn2023.x86_64"], "c-1")
        lineage = read_lineage(cloud.aws, "gbg")
        assert package_list(cloud.aws, lineage, "ami-1").packages == ("bash-5.2-2.amzn2023.x86_64",)
        assert package_list(cloud.aws, lineage, AMAZON).packages == ("bash-5.2-1.amzn2023.x86_64",)

    def test_a_source_that_is_gone_is_still_told_by_its_child(self, cloud: FakeImages) -> None:
        cloud.list_packages("ami-2", ["bash-5.2-3.x86_64"], ["bash-5.2-2.x86_64"], "c-2")
        cloud.tags("ami-2")["gbg:source-ami"] = "ami-gone"
        lineage = read_lineage(cloud.aws, "gbg")
        assert package_list(cloud.aws, lineage, "ami-gone").packages == ("bash-5.2-2.x86_64",)
        with pytest.raises(NotThere, match="gbg has no such image"):
            package_list(cloud.aws, lineage, "ami-of-nobody")
        with pytest.raises(NotThere, match="no image was made from it yet"):
            package_list(cloud.aws, read_lineage(cloud.aws, "shop", also=AMAZON), AMAZON)

    def test_events_of_several_lines_are_read_as_lines(self, cloud: FakeImages) -> None:
        cloud.list_packages("ami-1", ["a-1-1.noarch", "b-1-1.noarch"], ["a-1-1.noarch"], "c-1")
        [(stream, lines)] = cloud.streams.items()
        cloud.streams[stream] = ["\n".join(lines)]
        found = package_list(cloud.aws, read_lineage(cloud.aws, "gbg"), "ami-1")
        assert found.packages == ("a-1-1.noarch", "b-1-1.noarch")

    def test_a_list_that_was_cut_is_no_list(self, cloud: FakeImages) -> None:
        cloud.list_packages("ami-1", ["a-1-1.noarch", "b-1-1.noarch"], [], "c-1")
        next(iter(cloud.streams.values())).pop()
        with pytest.raises(CheckFailed, match="the image says"):
            package_list(cloud.aws, read_lineage(cloud.aws, "gbg"), "ami-1")

    def test_no_list_is_said_plainly(self, cloud: FakeImages) -> None:
        lineage = read_lineage(cloud.aws, "gbg")
        with pytest.raises(NotThere, match="left no list"):
            package_list(cloud.aws, lineage, "ami-1")
        cloud.tags("ami-1")["gbg:package-list"] = "c-lost"
        with pytest.raises(NotThere, match="no list of command c-lost"):
            package_list(cloud.aws, read_lineage(cloud.aws, "gbg"), "ami-1")

    def test_the_difference_tells_what_came_went_and_changed(self) -> None:
        before = PackageList("a", ("gone-1-1.noarch", "kernel-6.1-1.x86_64", "same-2-1.noarch"))
        after = PackageList(
            "b", ("kernel-6.12-1.x86_64", "java-17-headless-17.0-1.x86_64", "same-2-1.noarch")
        )
        found = [(one.name, one.kind, one.before, one.after) for one in difference(before, after)]
        assert found == [
            ("gone", "removed", "1-1.noarch", ""),
            ("java-17-headless", "added", "", "17.0-1.x86_64"),
            ("kernel", "changed", "6.1-1.x86_64", "6.12-1.x86_64"),
        ]

    def test_a_name_in_two_versions_is_one_row(self) -> None:
        two = PackageList("a", ("kernel-6.1-1.x86_64", "kernel-6.1-2.x86_64"))
        [change] = difference(two, PackageList("b", ("kernel-6.1-2.x86_64",)))
        assert (change.before, change.after) == ("6.1-1.x86_64, 6.1-2.x86_64", "6.1-2.x86_64")


class TestPruning:
    def kept(self, cloud: FakeImages, **given: object) -> dict[str, str]:
        plan = plan_pruning(cloud.aws, "gbg", **{"last": 1, **given})  # type: ignore[arg-type]
        return {one.image.id: "; ".join(one.kept_for) for one in plan.decisions}

    def test_what_serves_and_what_would_be_launched_stays(self, cloud: FakeImages) -> None:
        kept = self.kept(cloud)
        assert kept["ami-3"] == "in use by CodeDeploy_gbg-fleet_d-3; in gbg version 4; the last"
        assert kept["ami-1"] == kept["ami-2"] == ""

    def test_a_group_keeps_the_version_that_it_names(self, cloud: FakeImages) -> None:
        cloud.groups["CodeDeploy_gbg-fleet_d-1"] = "2"
        assert self.kept(cloud)["ami-1"] == "in use by CodeDeploy_gbg-fleet_d-1; in gbg version 2"

    @pytest.mark.parametrize(("word", "image"), [("$Latest", "ami-3"), ("$Default", AMAZON), ("", AMAZON)])
    def test_words_for_versions_are_understood(self, cloud: FakeImages, word: str, image: str) -> None:
        from gbg_lib.images import read_usage

        cloud.groups = {"other": word}
        assert read_usage(cloud.aws).groups == {image: ("other",)}

    def test_a_machine_in_no_group_keeps_its_image(self, cloud: FakeImages) -> None:
        cloud.machines["i-9"] = ("ami-2", "")
        assert self.kept(cloud)["ami-2"] == "in use by i-9"

    def test_records_and_the_last_ones_stay(self, cloud: FakeImages) -> None:
        assert self.kept(cloud, kept_images=["ami-1"])["ami-1"] == "a kept record names it"
        assert self.kept(cloud, last=2)["ami-2"] == "one of the last"

    def test_a_record_keeps_its_image_as_long_as_it_is_young_enough(self) -> None:
        told: list[dict[str, str | None]] = [
            {"image": "ami-1", "started": "2024-01-01T00:00:00Z"},
            {"image": "ami-2", "started": "2025-01-01T00:00:00Z"},
            {"image": "ami-3", "started": None},
            {"image": "", "started": "2025-01-01T00:00:00Z"},
        ]
        assert named_by_records(told, datetime(2024, 6, 1, tzinfo=UTC)) == {"ami-2", "ami-3"}

    @pytest.mark.parametrize(
        "odd", [{"started": None}, {"image": "ami-1", "started": "then"}, {"image": "ami-1", "started": 7}]
    )
    def test_an_index_that_was_altered_frees_no_image(self, odd: dict[str, Any]) -> None:
        with pytest.raises(RecordError, match="odd shape"):
            named_by_records([odd], datetime(2024, 6, 1, tzinfo=UTC))

    def test_a_revoked_image_is_not_one_of_the_last_good_ones(self, cloud: FakeImages) -> None:
        cloud.tags("ami-3")[REVOKED] = "bad kernel"
        kept = self.kept(cloud)
        assert kept["ami-3"] == "in use by CodeDeploy_gbg-fleet_d-3; in gbg version 4"
        assert kept["ami-2"] == "the last"

    def test_a_release_that_can_be_tried_again_keeps_its_image(self, cloud: FakeImages) -> None:
        cloud.tags("ami-2")["gbg:pipeline-execution"] = "e-2-which-failed"
        releases = Releases(frozenset({"e-2-which-failed"}), {"e-2-which-failed": "Deploy"})
        kept = self.kept(cloud, releases=releases)
        assert kept["ami-2"] == "release e-2-whic can be tried again from Deploy"

    def test_the_image_of_a_failed_release_is_not_one_of_the_last_good_ones(self, cloud: FakeImages) -> None:
        cloud.tags("ami-2")["gbg:pipeline-execution"] = "e-2"
        kept = self.kept(cloud, last=2, releases=Releases(frozenset({"e-2"})))
        assert (kept["ami-2"], kept["ami-1"]) == ("", "one of the last")

    def test_an_image_that_is_being_made_stays(self, cloud: FakeImages) -> None:
        cloud.images["ami-1"]["state"] = "pending"
        assert self.kept(cloud)["ami-1"] == "it is being made"

    def test_images_go_with_snapshots_and_template_versions_and_that_is_proved(
        self, cloud: FakeImages
    ) -> None:
        plan = plan_pruning(cloud.aws, "gbg", last=1)
        gone = list(prune(cloud.aws, plan))
        assert gone == ["lt-1 version 3", "ami-2", "snap-ami-2", "lt-1 version 2", "ami-1", "snap-ami-1"]
        assert cloud.versions == {1: AMAZON, 4: "ami-3"}
        assert cloud.snapshots == {"snap-ami-3"}
        assert [check.found for check in check_pruned(cloud.aws, plan)] == [
            "none of 2 is left",
            "none of 2 is left",
            "1 of 1 are there",
        ]

    def test_a_snapshot_that_stays_is_no_success(self, cloud: FakeImages) -> None:
        cloud.stubborn.add("snap-ami-2")
        plan = plan_pruning(cloud.aws, "gbg", last=1)
        with pytest.raises(AwsError, match=r"snapshot snap-ami-2: it was not deleted with ami-2"):
            list(prune(cloud.aws, plan))
        with pytest.raises(CheckFailed, match="left: ami-1"):
            check_pruned(cloud.aws, plan)

    def test_what_came_into_use_since_the_plan_is_refused_before_anything_goes(
        self, cloud: FakeImages
    ) -> None:
        plan = plan_pruning(cloud.aws, "gbg", last=1)
        cloud.groups["back"] = "2"
        with pytest.raises(GateRefused, match="ami-1: it is in use by back, gbg version 2 since"):
            list(prune(cloud.aws, plan))
        assert "ami-2" in cloud.images

    def test_with_nothing_to_do_the_plan_says_so(self, cloud: FakeImages) -> None:
        plan = plan_pruning(cloud.aws, "gbg", last=9)
        assert (plan.action, plan.reason) == ("nothing", "each of 3 images is needed")


class TestRevocation:
    def test_marks_the_image_and_its_children_and_disables_what_nobody_runs(self, cloud: FakeImages) -> None:
        plan = plan_revocation(cloud.aws, "gbg", "ami-1", "bad openssl")
        assert [(mark.image, mark.because, mark.switch) for mark in plan.marks] == [
            ("ami-1", "itself", True),
            ("ami-2", "made from ami-1", True),
        ]
        assert len(list(revoke(cloud.aws, plan))) == 2
        assert check_revoked(cloud.aws, plan)[0].found == "2 images carry the mark"
        assert [image.state for image in golden_images(cloud.aws, "gbg")] == [
            "available",
            "disabled",
            "disabled",
        ]
        assert REVOKED not in cloud.tags("ami-3")

    def test_amazons_own_image_is_marked_and_never_disabled(self, cloud: FakeImages) -> None:
        plan = plan_revocation(cloud.aws, "gbg", AMAZON, "bad kernel")
        list(revoke(cloud.aws, plan))
        assert cloud.images[AMAZON]["state"] == "available"
        assert {name for name in cloud.images if cloud.tags(name)[REVOKED] == "bad kernel"} == set(
            cloud.images
        )

    def test_what_serves_can_go_on_scaling_and_is_named(self, cloud: FakeImages) -> None:
        plan = plan_revocation(cloud.aws, "gbg", "ami-3", "bad kernel")
        list(revoke(cloud.aws, plan))
        assert cloud.images["ami-3"]["state"] == "available"
        assert [mark.used_by for mark in plan.still_running] == [("CodeDeploy_gbg-fleet_d-3",)]

    def test_the_gate_is_shut_for_it_and_its_children(self, cloud: FakeImages) -> None:
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-1", "bad openssl")))
        assert revoked(cloud, "ami-1") == "ami-1 is revoked: bad openssl"
        assert revoked(cloud, "ami-3") == ""

    def test_a_child_that_was_made_meanwhile_is_shut_out_by_its_parents_mark(self, cloud: FakeImages) -> None:
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-3", "bad")))
        cloud.bake("ami-4", "ami-3")
        assert revoked(cloud, "ami-4") == "ami-4, which came from ami-3, is revoked: bad"

    def test_a_source_that_nothing_was_made_from_yet_can_be_revoked(self, cloud: FakeImages) -> None:
        cloud.images["ami-new"] = {**cloud.images[AMAZON], "tags": {}}
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-new", "withdrawn")))
        assert revoked(cloud, "ami-new") == "ami-new is revoked: withdrawn"

    def test_again_there_is_nothing_to_do_and_the_first_reason_stays(self, cloud: FakeImages) -> None:
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-1", "first")))
        again = plan_revocation(cloud.aws, "gbg", "ami-1", "second")
        assert again.action == "nothing"
        assert list(revoke(cloud.aws, again)) == []
        assert cloud.tags("ami-1")[REVOKED] == "first"

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 257])
    def test_a_reason_is_needed_and_fits_a_tag(self, cloud: FakeImages, reason: str) -> None:
        with pytest.raises(MisuseError, match="a reason has 1 to 256 characters"):
            plan_revocation(cloud.aws, "gbg", "ami-1", reason)

    def test_an_unknown_image_is_refused(self, cloud: FakeImages) -> None:
        with pytest.raises(NotThere, match="ami-none"):
            plan_revocation(cloud.aws, "gbg", "ami-none", "bad")

    def test_taking_it_back_opens_the_gate_and_leaves_other_marks(self, cloud: FakeImages) -> None:
        cloud.bake("ami-4", "ami-1")
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-4", "its own fault")))
        list(revoke(cloud.aws, plan_revocation(cloud.aws, "gbg", "ami-1", "a mistake")))
        done = list(reinstate(cloud.aws, plan_reinstatement(cloud.aws, "gbg", "ami-1")))
        assert [mark.image for mark in done] == ["ami-1", "ami-2"]
        assert {name for name in cloud.images if REVOKED in cloud.tags(name)} == {"ami-4"}
        assert cloud.images["ami-2"]["state"] == "available"
        with pytest.raises(MisuseError, match="it carries no mark"):
            plan_reinstatement(cloud.aws, "gbg", "ami-1")
