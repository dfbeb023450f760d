"""What a reader sees: columns, words for durations, a picture, and the same as text."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from gbg_lib.deployments import LifecycleEvent, Target
from gbg_lib.fleet import Fleet, Instance
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Action
from gbg_lib.release import Release
from gbg_lib.views import (
    actions_table,
    fleets_table,
    lifecycle_table,
    outputs_table,
    parameters_table,
    release_table,
    stages_picture,
)
from gbg_lib.views.stages import COLOURS, HATCHES, StagesPicture
from gbg_lib.views.table import duration, table, took
from tests.unit.release_fakes import BEGIN, at


def action(
    stage: str, begin: float, end: float, status: str = "Succeeded", *, name: str = "", error: str = ""
) -> Action:
    return Action(f"{stage}-{begin}", stage, name or stage, status, at(begin), at(end), error=error)


def bars(picture: StagesPicture) -> list[tuple[float, float]]:
    """Left end and width of each."""
    [axes] = picture.figure().axes
    return [(bar.get_x(), round(bar.get_width(), 2)) for bar in axes.patches if isinstance(bar, Rectangle)]


ACTIONS = [action("Source", 0, 1.24), action("Build", 2, 65, "Failed", error="mvn failed")]


class TestTable:
    def test_it_is_a_data_frame_with_numbers_to_reckon_with(self) -> None:
        found = actions_table(ACTIONS)
        assert isinstance(found, pd.DataFrame)
        assert found["took"].sum() == pd.Timedelta(seconds=64.2)

    def test_text_is_aligned_and_whole(self) -> None:
        shown = table([{"a": "x" * 300, "b": 1}, {"a": "y", "b": 22}], ["a", "b"], "Title")
        assert repr(shown).splitlines() == [
            "Title",
            "a".ljust(302) + "b",
            "x" * 300 + "  1",
            "y".ljust(302) + "22",
        ]

    def test_a_resource_type_may_go_on_in_the_next_line(self) -> None:
        shown = table([{"resource": "AWS::EC2::VPC"}], ["resource"], "Plan")
        assert "AWS::<wbr>EC2::<wbr>VPC" in shown._repr_html_()
        assert "AWS::EC2::VPC" in repr(shown)

    def test_a_long_name_may_be_broken_between_its_words_and_a_short_one_stays(self) -> None:
        shown = table([{"names": "DeploymentGroupFunctionRole, LoadBalancer"}], ["names"])
        assert "Deployment<wbr>Group<wbr>Function<wbr>Role, LoadBalancer" in shown._repr_html_()
        assert "DeploymentGroupFunctionRole" in repr(shown)

    def test_html_says_the_same_and_is_escaped(self) -> None:
        shown = table([{"a<b": "<script>"}], ["a<b"], "x & y")._repr_html_()
        assert "x &amp; y" in shown and "a&lt;b" in shown and "&lt;script&gt;" in shown
        assert "<script>" not in shown and "scope='col'" in shown

    def test_it_has_a_name_for_who_hears_it(self) -> None:
        assert (
            "<table aria-label='It&#x27;s &lt;mine&gt;'>"
            in table([{"a": 1}], ["a"], "It's <mine>")._repr_html_()
        )
        assert "aria-label='Checks'" in table([{"a": 1}], ["a"], "Long words", name="Checks")._repr_html_()

    def test_no_rows_are_said(self) -> None:
        assert repr(table([], ["a"], "Title")) == "Title\n(no rows)"
        assert "(no rows)" in table([], ["a"], name="A")._repr_html_()

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "0.0 s"),
            (3.14, "3.1 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1 min 0 s"),
            (125, "2 min 5 s"),
            (3780, "1 h 3 min"),
        ],
    )
    def test_durations_are_words(self, seconds: float, words: str) -> None:
        assert duration(seconds) == words

    def test_no_duration_is_no_word(self) -> None:
        shown = table([{"took": took(1)}, {"took": took(None)}], ["took"], name="Times")
        assert repr(shown) == "took\n1.0 s\n"


def test_parameters_come_with_their_meaning() -> None:
    found = parameters_table(Parameters(instance_count=3), "01")
    assert list(found.columns) == ["parameter", "value", "meaning"]
    meaning = "instances in the fleet; it may grow to twice as many under load"
    assert ["instance_count", 3, meaning] in found.to_numpy().tolist()


def test_outputs_are_sorted_by_name() -> None:
    assert list(outputs_table({"Z": "1", "A": "2"})["output"]) == ["A", "Z"]


def test_a_fleet_is_a_row_a_machine_by_zone() -> None:
    machines = tuple(Instance(f"i-{zone}", zone, "InService", "ami-1", "2", "") for zone in ("b", "a"))
    found = fleets_table([Fleet("gbg-green", 2, "2", machines)])
    assert list(found["instance"]) == ["i-a", "i-b"]
    assert list(found["behind the load balancer"]) == ["not registered", "not registered"]


def test_a_release_is_a_row_a_fact() -> None:
    found = release_table(
        Release("e", "Succeeded", "c", "First", "ami-1", "2", "a", "b", "d", tuple(ACTIONS))
    )
    assert dict(zip(found["fact"], found["value"], strict=True)) == {
        "execution": "e",
        "status": "Succeeded",
        "commit": "c",
        "message": "First",
        "golden AMI": "ami-1",
        "launch template version": "2",
        "bake": "a",
        "build": "b",
        "deployment": "d",
        "took": "1 min 5 s",
    }


def test_lifecycle_events_are_rows_in_order() -> None:
    events = (
        LifecycleEvent("BeforeInstall", "Succeeded", at(0), at(2)),
        LifecycleEvent("Install", "Skipped", None, None),
    )
    found = lifecycle_table([Target("i-1", "Green", "Succeeded", events)])
    assert repr(found).splitlines() == [
        "machine  fleet  event          status     took",
        "i-1      Green  BeforeInstall  Succeeded  2.0 s",
        "i-1      Green  Install        Skipped",
    ]


class TestStagesPicture:
    def test_text_says_what_the_picture_shows(self) -> None:
        picture = stages_picture(ACTIONS, "Release of gbg")
        told = "Release of gbg on a time axis: Source Succeeded, Build Failed"
        assert repr(picture) == told
        image, metadata = picture._repr_png_()
        assert image.startswith(b"\x89PNG") and metadata["alt"] == told

    def test_bars_lie_where_the_stages_lay_in_time(self) -> None:
        assert bars(stages_picture(ACTIONS)) == [(0, 1.24), (2, 63)]
        [axes] = stages_picture(ACTIONS).figure().axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["Source", "Build"]

    def test_a_status_is_told_in_colour_pattern_and_words(self) -> None:
        [axes] = stages_picture(ACTIONS).figure().axes
        good, failed = axes.patches
        assert good.get_facecolor() != failed.get_facecolor()
        assert (good.get_hatch() or "", failed.get_hatch()) == ("", HATCHES["Failed"])
        assert [text.get_text() for text in axes.texts] == ["1.2 s", "1 min 3 s, Failed"]

    def test_what_goes_on_reaches_until_now(self) -> None:
        going = Action("1", "Build", "Build", "InProgress", BEGIN - timedelta(days=1), BEGIN)
        assert bars(stages_picture([going]))[0][1] >= 86400
        [axes] = stages_picture([going]).figure().axes
        assert "InProgress" in axes.texts[0].get_text()

    @pytest.mark.parametrize(("seconds", "unit"), [(20, "seconds"), (900, "minutes"), (9000, "hours")])
    def test_the_axis_takes_the_unit_that_fits(self, seconds: float, unit: str) -> None:
        [axes] = stages_picture([action("Build", 0, seconds)]).figure().axes
        assert axes.get_xlabel() == f"{unit} since the release began"

    def test_two_actions_of_a_stage_are_told_apart(self) -> None:
        two = [action("Build", 0, 1, name="Maven"), action("Build", 0, 2, name="Lint")]
        assert "Build / Maven Succeeded, Build / Lint Succeeded" in repr(stages_picture(two))

    def test_nothing_yet_is_a_picture_too(self) -> None:
        assert repr(stages_picture([])) == "Stages on a time axis: nothing has begun"
        assert stages_picture([])._repr_png_()[0].startswith(b"\x89PNG")

    def test_every_status_of_an_action_has_a_colour(self) -> None:
        assert set(COLOURS) == {"Succeeded", "InProgress", "Failed", "Abandoned"}
