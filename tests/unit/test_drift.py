"""Where stack and live state differ: fleets, settings, alarms, and what a report makes of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gbg_lib.blueprint.part1.deployment_group import settings
from gbg_lib.deployment_group import green_group, is_fleet
from gbg_lib.errors import CheckFailed
from gbg_lib.jobs.drift_report import DriftReport, Report
from gbg_lib.mending.drift import Drift, dead_alarms
from gbg_lib.mending.orphans import Orphan
from gbg_lib.mending.settings import (
    ALARMS,
    EVENTS,
    GroupSettings,
    golden_ami_drift,
    group_drift,
    live_settings,
)
from gbg_lib.parameters import Parameters
from gbg_lib.views import drift_table, orphans_table, swept_table
from tests.unit.aws_fakes import connected
from tests.unit.moved_fakes import DEAD, GREEN, WHOLE, FakeAutoScaling, World

MOVED = Drift("fleet", DEAD, GREEN, "a release", "the repair imports it")
EDITED = Drift("Logs/RetentionInDays", "30", "1", "outside", "set it back")
LEFT = Orphan("builder", "i-9", "bake b-1 (Failed)", "it is running though its bake is over")


@pytest.mark.parametrize(
    ("accepted", "report", "said"),
    [
        ("releases", Report((MOVED,), ()), ""),
        ("all", Report((MOVED, EDITED), (LEFT,)), ""),
        ("none", Report((), ()), ""),
        ("none", Report((MOVED,), ()), "check: moved by releases: fleet\n  try: run runbook 07"),
        ("releases", Report((EDITED,), ()), "check: edits from outside: Logs/RetentionInDays\n  try: set"),
        (
            "releases",
            Report((), (LEFT,)),
            "check: left behind: builder i-9\n  try: run runbook 07 with sweep",
        ),
    ],
)
def test_a_drift_report_fails_for_what_is_not_accepted(accepted: Any, report: Report, said: str) -> None:
    job = DriftReport(Parameters(accepted_drift=accepted), World().aws)
    if not said:
        assert all(check.passed for check in job.verdict(report))
        return
    with pytest.raises(CheckFailed, match=re.escape(said)):
        job.verdict(report)


def test_drift_and_orphans_are_tables_in_words() -> None:
    assert list(drift_table([MOVED]).iloc[0]) == ["fleet", DEAD, GREEN, "a release", "the repair imports it"]
    assert "bake b-1 (Failed)" in repr(orphans_table([LEFT]))
    assert repr(drift_table([])).startswith("stack and live state agree")
    assert repr(swept_table([], asked=False)).startswith("nothing was removed: sweep is not set")


class FakeAlarms:
    def describe_alarms(self) -> dict[str, Any]:
        groups = {"dead": DEAD, "alive": GREEN, "another's": "shop-web", "their first": "gbg-blue-blue"}
        return {
            "MetricAlarms": [
                {"AlarmName": name, "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group}]}
                for name, group in groups.items()
            ]
        }


def test_an_alarm_on_a_group_that_is_gone_is_told() -> None:
    aws = connected(cloudwatch=FakeAlarms(), autoscaling=FakeAutoScaling(**{GREEN: []}))
    [alarm] = dead_alarms(aws, "gbg")
    assert (alarm.what, alarm.believed, alarm.cause) == ("alarm dead", f"watches {DEAD}", "outside")


def test_a_fleet_is_known_by_the_names_that_part_1_gives() -> None:
    resources = WHOLE["Resources"]
    _, first, _ = resources["BlueGroup"]["Properties"]["AutoScalingGroupName"]["Fn::If"]
    group = resources["DeploymentGroup"]["Properties"]["DeploymentGroupName"]["Fn::Sub"]
    first, group = (text.replace("${Deployment}", "shop") for text in (first["Fn::Sub"], group))
    assert is_fleet(first, "shop") and is_fleet(green_group(group, "d-1"), "shop")
    for other in ("", "shop-blue-2", "CodeDeploy_shop-2-fleet_d-1", green_group(group).rstrip("_")):
        assert not is_fleet(other, "shop"), other


class Named:
    """A parameter's value; empty when it is gone."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get_parameters(self, **given: Any) -> dict[str, Any]:
        assert given["Names"] == ["/gbg/golden-ami"]
        return {"Parameters": [{"Value": self.value}] if self.value else []}


class TestSettings:
    WANTED = GroupSettings("AllAtOnce", 0, 5, ("a", "b"), ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"))
    LIVE: dict[str, Any] = {
        "deploymentConfigName": "AllAtOnce",
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 5},
        },
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": "b"}, {"name": "a"}]},
        "autoRollbackConfiguration": {
            "enabled": True,
            "events": ["DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"],
        },
    }

    def told(self, **changed: Any) -> dict[str, tuple[str, str]]:
        found = group_drift("fleet", self.WANTED, live_settings({**self.LIVE, **changed}))
        return {one.what.removeprefix("deployment group fleet: "): (one.believed, one.live) for one in found}

    def test_a_group_as_the_stack_made_it_does_not_differ(self) -> None:
        assert self.told() == {}

    def test_what_is_wanted_is_what_part_1_makes(self) -> None:
        """The custom resource and the template say it a second time."""
        properties = WHOLE["Resources"]["DeploymentGroup"]["Properties"]
        assert tuple(alarm["Ref"] for alarm in properties["AlarmNames"]) == ALARMS
        made = settings(
            {
                **dict.fromkeys(("ApplicationName", "ServiceRoleArn", "TargetGroupName"), "gbg"),
                "DeploymentConfigName": "AllAtOnce",
                "AlarmNames": ["a", "b"],
                "ReadyWaitMinutes": "0",
                "TerminationWaitMinutes": "5",
            }
        )
        assert live_settings(made) == self.WANTED
        assert self.WANTED.rolls_back_on == EVENTS

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            (
                {"deploymentConfigName": "OneAtATime"},
                {"deployment configuration": ("AllAtOnce", "OneAtATime")},
            ),
            (
                {"alarmConfiguration": {"enabled": False, "alarms": [{"name": "a"}]}},
                {"alarms that stop a release": ("a, b", "none")},
            ),
            (
                {"alarmConfiguration": {"enabled": True, "alarms": [{"name": "a"}]}},
                {"alarms that stop a release": ("a, b", "a")},
            ),
            (
                {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}},
                {
                    "rolls back by itself on": (
                        "DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM",
                        "DEPLOYMENT_FAILURE",
                    )
                },
            ),
            (
                {"blueGreenDeploymentConfiguration": {}},
                {"minutes before blue ends": ("5", "0")},
            ),
        ],
    )
    def test_each_setting_that_was_edited_is_told(
        self, changed: dict[str, Any], told: dict[str, tuple[str, str]]
    ) -> None:
        assert self.told(**changed) == told

    @pytest.mark.parametrize(
        ("named", "told"),
        [("ami-4", []), ("ami-5", []), ("ami-9", ["ami-9"]), ("", ["nothing: it is gone"])],
    )
    def test_the_golden_ami_parameter_may_be_ahead_of_the_fleet_and_no_strangers(
        self, named: str, told: list[str]
    ) -> None:
        aws = connected(ssm=Named(named))
        found = golden_ami_drift(aws, "/gbg/golden-ami", "ami-4", {"ami-4", "ami-5"})
        assert [one.live for one in found] == told
