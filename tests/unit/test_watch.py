"""A release from inside: who is asked for what, when and how often; who answers visitors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from gbg_lib.deployments import BATCH_TARGETS
from gbg_lib.pipeline import Action
from gbg_lib.views.live.release import ReleaseState, board
from gbg_lib.watch.budget import REQUESTS_A_SECOND
from gbg_lib.watch.pieces import LAST_LINES, shown
from gbg_lib.watch.release import Inside
from gbg_lib.watch.traffic import Traffic, counts
from tests.unit.aws_fakes import connected, refusal
from tests.unit.clocks import Clock
from tests.unit.release_fakes import BEGIN, DEPLOYMENT, heard
from tests.unit.site import serving

PATIENT_SECONDS = 60.0


class FakeServices:
    """A release from inside, whatever is asked; counts by the clock's second."""

    def __init__(self, clock: Clock, machines: int = 60) -> None:
        self.clock, self.asked, self.names = clock, [], []
        self.bake = self.install = "InProgress"
        self.refused: list[str] = []
        self.meanwhile: Callable[[], None] | None = None
        """work of another thread, while the next answer is on its way"""
        self.machines = [f"i-{number:017x}" for number in range(machines)]

    asked: list[float]
    names: list[str]

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def answer(**given: Any) -> dict[str, Any]:
            self.asked.append(self.clock.now)
            self.names.append(operation)
            if operation in self.refused:
                self.refused.remove(operation)
                raise refusal("ThrottlingException", "not now")
            if (work := self.meanwhile) is not None:
                self.meanwhile = None
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            self.clock.now += 0.004
            return dict(ANSWERS[operation](self, given))

        return answer


ANSWERS: dict[str, Any] = {
    "get_automation_execution": lambda fake, given: {
        "AutomationExecution": {
            "AutomationExecutionStatus": fake.bake,
            "StepExecutions": [
                {"StepName": "updateSystem", "StepStatus": "InProgress", "ExecutionStartTime": BEGIN}
            ],
        }
    },
    "filter_log_events": lambda fake, given: {
        "events": [
            {
                "eventId": str(fake.clock.now),
                "timestamp": 1,
                "logStreamName": "s",
                "message": "\x1b[1mhello\n",
            }
        ]
    },
    "batch_get_builds": lambda fake, given: {
        "builds": [
            {"phases": [], "buildComplete": False, "logs": {"groupName": "/gbg/build", "streamName": "s"}}
        ]
    },
    "list_deployment_targets": lambda fake, given: {"targetIds": fake.machines},
    "batch_get_deployment_targets": lambda fake, given: {
        "deploymentTargets": [
            {
                "instanceTarget": {
                    "targetId": one,
                    "instanceLabel": "GREEN",
                    "status": "InProgress",
                    "lifecycleEvents": [{"lifecycleEventName": "Install", "status": fake.install}],
                }
            }
            for one in given["targetIds"]
        ]
    },
    "describe_target_health": lambda fake, given: {
        "TargetHealthDescriptions": [
            {"Target": {"Id": one}, "TargetHealth": {"State": "healthy"}} for one in fake.machines
        ]
    },
}


def most_in_a_second(asked: Sequence[float]) -> int:
    return max(sum(first <= one < first + 1 for one in asked) for first in asked)


def look(inside: Inside, actions: Sequence[Action]) -> None:
    """As a view does in a pause."""
    inside.look(actions)
    inside.go_round(actions)


class TestInside:
    def inside(self, poll_seconds: float = 0.25) -> tuple[Inside, FakeServices, Clock]:
        clock = Clock()
        fake = FakeServices(clock)
        aws = connected(ssm=fake, logs=fake, codebuild=fake, codedeploy=fake, elbv2=fake)
        aws.poll_seconds = poll_seconds
        base = {"SiteUrl": "", "BakeLogGroupName": "/gbg/bake", "TargetGroupArn": "arn"}
        return Inside(aws, base, clock=clock, sleep=clock.sleep), fake, clock

    @pytest.mark.parametrize(("poll_seconds", "used"), [(0.05, 4.5), (0.25, 4.5), (5.0, 0.9)])
    def test_never_more_requests_a_second_than_all_views_may_make(
        self, poll_seconds: float, used: float
    ) -> None:
        """Sixty machines and two more stages: in no second more than five, and not many are left unused."""
        inside, fake, clock = self.inside(poll_seconds)
        actions = [heard(stage, 0, 1, "InProgress") for stage in ("BuildGoldenAMI", "Build", "Deploy")]
        for number in range(400):
            look(inside, actions)
            clock.now += poll_seconds + number % 3 / 100
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND
        assert len(fake.asked) / (clock.now - 100) > used

    def test_the_running_stage_is_asked_for_at_each_look_also_while_others_have_their_turn(self) -> None:
        inside, fake, clock = self.inside()
        deploy = [heard(stage, 0, 1) for stage in ("BuildGoldenAMI", "Build")]
        deploy.append(heard("Deploy", 0, 1, "InProgress"))
        for _ in range(12):
            look(inside, deploy)
            clock.now += 0.25
        for number in range(40):
            fake.names.clear()
            look(inside, deploy)
            clock.now += 0.25 + (-1) ** number * 0.004
            assert fake.names[0] == "batch_get_deployment_targets"
        assert set(inside.health) == set(fake.machines) == set(inside.targets)

    def test_all_else_comes_round_once_a_second_and_not_a_look_later(self) -> None:
        inside, fake, clock = self.inside()
        bake = [heard("BuildGoldenAMI", 0, 1, "InProgress")]
        began = clock.now
        while clock.now < began + 20:
            before = clock.now
            look(inside, bake)
            clock.now = max(clock.now, before + 0.25)
        assert fake.names.count("filter_log_events") >= 19
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND

    def test_a_bake_that_says_that_it_is_over_is_not_asked_again(self) -> None:
        """So that the build that the pipeline begins then is asked at once."""
        inside, fake, clock = self.inside()
        bake = heard("BuildGoldenAMI", 0, 1, "InProgress")
        look(inside, [bake])
        fake.bake = "Success"
        for over in (bake, bake, heard("BuildGoldenAMI", 0, 1)):
            clock.now += 0.25
            look(inside, [over])
        assert fake.names.count("get_automation_execution") == 2
        look(inside, [heard("BuildGoldenAMI", 0, 1), heard("Build", 2, 3, "InProgress")])
        assert fake.names[-1] == "batch_get_builds"

    def test_machines_that_have_nothing_to_come_take_turns(self) -> None:
        """While blue waits for its end, say: health and new machines come up more often then."""
        inside, fake, clock = self.inside()
        fake.install = "Succeeded"
        for _ in range(12):
            look(inside, [heard("Deploy", 0, 1, "InProgress")])
            clock.now += 0.25
        fake.names.clear()
        for _ in range(12):
            look(inside, [heard("Deploy", 0, 1, "InProgress")])
            clock.now += 0.25
        assert {fake.names.count(name) for name in ANSWERS if "target" in name} <= {2, 3, 4}

    def test_a_bake_is_asked_for_each_time_and_its_output_once_a_second(self) -> None:
        inside, fake, clock = self.inside()
        bake = [heard("BuildGoldenAMI", 0, 1, "InProgress")]
        for _ in range(8):
            before = fake.names.count("get_automation_execution")
            look(inside, bake)
            assert fake.names.count("get_automation_execution") == before + 1
            clock.now += 0.25
        assert inside.bake[0].name == "updateSystem" and inside.bake_lines == ("hello",) * 2

    def test_the_end_is_whole_whoever_looked_when(self) -> None:
        inside, fake, _ = self.inside()
        over = [heard(stage, 0, 1) for stage in ("BuildGoldenAMI", "Build", "Deploy")]
        inside.finish(over)
        assert len(inside.targets) == 60 and len(inside.health) == 60 and inside.bake and inside.bake_lines
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND
        asked = len(fake.asked)
        inside.finish(over)
        assert len(fake.asked) == asked, "once is enough"

    def test_an_end_without_the_releases_end_asks_once_and_for_nothing_without_a_name(self) -> None:
        """Who follows gives up after so many minutes, or a bake fails before it has begun."""
        inside, fake, _ = self.inside()
        nameless = heard("BuildGoldenAMI", 0, 1, "Failed", behind="")
        inside.finish([nameless, heard("Build", 0, 1, "InProgress")])
        assert fake.names == ["batch_get_builds", "filter_log_events"]

    def test_one_answer_that_does_not_come_at_the_end_leaves_the_others(self) -> None:
        inside, fake, _ = self.inside()
        fake.refused = ["batch_get_deployment_targets"]
        inside.finish([heard("Deploy", 0, 1)])
        assert len(inside.targets) == 60 - BATCH_TARGETS
        assert "machines" in inside.missed

    def test_requests_of_others_count_for_nothing(self) -> None:
        """As a lock's renewals, which go on in a thread of their own."""
        inside, fake, clock = self.inside()
        bake = [heard("BuildGoldenAMI", 0, 1, "InProgress")]

        def beside() -> None:
            for _ in range(20):
                inside.aws.call("elbv2", "describe_target_health", TargetGroupArn="arn")

        fake.meanwhile = beside
        look(inside, bake)
        clock.now += 0.25
        look(inside, bake)
        assert fake.names.count("describe_target_health") == 20
        assert fake.names.count("get_automation_execution") == 2

    def test_machines_that_came_last_are_there_at_the_end(self) -> None:
        inside, fake, clock = self.inside()
        look(inside, [heard("Deploy", 0, 1, "InProgress")])
        fake.machines.append("i-late")
        clock.now += 0.25
        inside.finish([heard("Deploy", 0, 1)])
        assert "i-late" in inside.targets

    def test_former_releases_are_asked_for_by_turns(self) -> None:
        inside, _, clock = self.inside()
        steps: list[int] = []

        def former() -> Iterator[int]:
            for number in range(3):
                steps.append(number)
                yield number

        inside.former = former()
        source = [heard("Source", 0, 1)]
        look(inside, source)
        assert steps == [0]
        clock.now += 0.25
        inside.finish(source)
        assert steps == [0, 1, 2]

    def test_what_cannot_be_seen_is_told_and_stops_nothing(self) -> None:
        class Refusing:
            def get_automation_execution(self, **given: Any) -> dict[str, Any]:
                raise refusal("AccessDenied", "not you")

        inside = Inside(connected(ssm=Refusing(), logs=FakeServices(Clock())), {"BakeLogGroupName": "/b"})
        look(inside, [heard("BuildGoldenAMI", 0, 1, "InProgress")])
        assert inside.missed == {"bake": "not you"}
        seen = board(ReleaseState(missed=inside.missed)).text
        assert "Not seen" in seen and "bake · not you" in seen

    def test_secrets_and_control_characters_are_not_shown(self) -> None:
        lines = shown(
            ["[Container] 2026/11/28 14:15:17.450830 Phase complete", "\x1b[31mred\x07", "", *"abcd"]
        )
        assert lines == ("Phase complete", "red", "a", "b", "c", "d") and len(lines) == LAST_LINES


class TestVisits:
    def test_an_answer_tells_blue_from_green_and_no_answer_is_nobodys(self) -> None:
        with serving({"/health": f'{{"deployment": "{DEPLOYMENT}"}}'}) as url:
            traffic = Traffic(url, visit_seconds=PATIENT_SECONDS)
            for green in ("", "d-OTHER0001", DEPLOYMENT):
                traffic.visit(green)
        assert counts(traffic.visits) == {"blue": 2, "green": 1, "nobody": 0}
        traffic.visit(DEPLOYMENT)
        assert counts(traffic.visits)["nobody"] == 1

    def test_a_first_fleets_page_without_facts_is_blues(self) -> None:
        with serving({"/": "base page"}, otherwise=404) as url:
            traffic = Traffic(url, visit_seconds=PATIENT_SECONDS)
            traffic.visit(DEPLOYMENT)
        assert counts(traffic.visits)["blue"] == 1

    def test_a_site_that_can_not_be_reached_is_left_alone_for_a_while(self) -> None:
        clock = Clock()
        traffic = Traffic("http://127.0.0.1:9/", clock)
        for _ in range(20):
            traffic.visit("")
            clock.now += 1
        assert len(traffic.visits) == 2
