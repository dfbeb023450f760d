"""The sandbox's page in its parts: who may see it, what it may ask, what it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug import Request
from werkzeug.test import EnvironBuilder

from gbg_sandbox.page import texts
from gbg_sandbox.page.asking import Asking
from gbg_sandbox.page.guard import guarded, refusal
from gbg_sandbox.page.sections import (
    GOING_ON_SECONDS,
    bakes,
    deployments,
    machines,
    pipelines,
    seconds_between_reads,
)
from gbg_sandbox.page.web import STATIC
from gbg_sandbox.service import AwsError


def request(
    host: str = "localhost:4567", path: str = "/", peer: str = "127.0.0.1", **headers: str
) -> Request:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    environ = EnvironBuilder(path, headers=named).get_environ()
    return Request({**environ, "HTTP_HOST": host, "SERVER_PORT": "4567", "REMOTE_ADDR": peer})


class Told:
    """Stands for the services: answers what it was given, and says what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        self.asked.append((service, operation, params))
        answer = self.answers.get(operation)
        if answer is None:
            raise AwsError("NotFound", f"there is no {params}")
        return dict(answer)

    maybe = __call__


# --- who may see it ---


@pytest.mark.parametrize("host", ["localhost:4567", "127.0.0.1:4567"])
def test_a_tab_of_this_machine_may(host: str) -> None:
    assert refusal(request(host)) == ""
    assert refusal(request(host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")) == ""


@pytest.mark.parametrize(
    "host", ["evil.example:4567", "localhost:4568", "localhost", "localhost.evil.example:4567"]
)
def test_a_name_that_was_bound_to_this_machine_may_not(host: str) -> None:
    assert "is not called" in refusal(request(host))


def test_another_machine_may_not() -> None:
    assert refusal(request(peer="10.0.1.7"))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:8888", "null", "https://localhost:4567"]
)
def test_another_page_may_not(origin: str) -> None:
    assert "another page" in refusal(request(path="/_gbg/page/stream", Origin=origin))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_embeds_is_refused(site: str) -> None:
    assert refusal(request(path="/_gbg/page/main.js", Sec_Fetch_Site=site, Sec_Fetch_Dest="script"))
    assert refusal(request(Sec_Fetch_Site=site, Sec_Fetch_Dest="iframe"))


def test_a_link_to_it_may_be_followed() -> None:
    assert refusal(request(Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="document")) == ""


def test_every_answer_forbids_frames_and_foreign_scripts() -> None:
    from werkzeug import Response

    headers = guarded(Response("x")).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_in_the_page_parses_markup_or_comes_from_elsewhere() -> None:
    for path in STATIC.rglob("*.*"):
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text
        ), path
        found = re.findall(r"https?://[^\s\"'`)]+", text)
        assert set(found) <= {"http://www.w3.org/2000/svg"}, path
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", (STATIC / "index.html").read_text())


# --- what it may ask ---


@pytest.mark.parametrize(
    "operation", ["terminate_instances", "start_pipeline_execution", "put_object", "delete_stack"]
)
def test_the_page_asks_for_nothing_but_reads(operation: str) -> None:
    ask = Asking(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only reads"):
        ask("ec2", operation)


# --- what it says ---


def test_a_text_of_an_unknown_kind_is_refused() -> None:
    for name in ("secrets/x", "console/", "", "../etc/passwd"):
        with pytest.raises(texts.NoSuchText):
            texts.read(Told(), name)  # type: ignore[arg-type]


def test_a_console_that_is_gone_says_so() -> None:
    assert "there is no" in texts.read(Told(), "console/i-1")  # type: ignore[arg-type]


def test_a_commands_errors_follow_its_output() -> None:
    told = Told(get_command_invocation={"StandardOutputContent": "made", "StandardErrorContent": "but"})
    text = texts.read(told, "command/c-1/i-1")  # type: ignore[arg-type]
    assert text == "made\n--- errors ---\nbut"
    assert told.asked == [("ssm", "get_command_invocation", {"CommandId": "c-1", "InstanceId": "i-1"})]


def test_a_log_reads_the_newest_lines_of_its_stream() -> None:
    told = Told(get_log_events={"events": [{"message": "one\n"}, {"message": "two"}]})
    assert texts.read(told, "log//gbg/bake!a/b") == "one\ntwo"  # type: ignore[arg-type]
    [(_, _, params)] = told.asked
    assert (params["logGroupName"], params["logStreamName"]) == ("/gbg/bake", "a/b")


def test_a_machine_that_starts_is_going_on_and_one_that_runs_is_not() -> None:
    def instance(state: str) -> dict[str, Any]:
        return {
            "InstanceId": f"i-{state}",
            "State": {"Name": state},
            "ImageId": "ami-1",
            "InstanceType": "t3.small",
            "Placement": {"AvailabilityZone": "us-east-1a"},
            "LaunchTime": state,
            "Tags": [{"Key": "aws:autoscaling:groupName", "Value": "fleet"}],
        }

    told = Told(
        describe_instances={"Reservations": [{"Instances": [instance("running"), instance("pending")]}]}
    )
    found = {one["id"]: one for one in machines.read(told)}  # type: ignore[arg-type]
    assert found["i-pending"]["going_on"]
    assert not found["i-running"]["going_on"]
    assert found["i-running"]["group"] == "fleet"


def test_a_failed_hook_brings_its_log() -> None:
    event = {
        "lifecycleEventName": "ValidateService",
        "status": "Failed",
        "diagnostics": {
            "errorCode": "ScriptFailed",
            "scriptName": "validate.sh",
            "message": "exit 1",
            "logTail": "no",
        },
    }
    told = Told(
        list_deployments={"deployments": ["d-1"]},
        get_deployment={
            "deploymentInfo": {
                "applicationName": "a",
                "deploymentGroupName": "g",
                "status": "Failed",
                "createTime": "now",
                "deploymentStyle": {"deploymentType": "BLUE_GREEN"},
                "errorInformation": {"code": "HEALTH_CONSTRAINTS", "message": "too many"},
            }
        },
        list_deployment_targets={"targetIds": ["i-1"]},
        batch_get_deployment_targets={
            "deploymentTargets": [
                {
                    "instanceTarget": {
                        "targetId": "i-1",
                        "instanceLabel": "GREEN",
                        "status": "Failed",
                        "lifecycleEvents": [event],
                    }
                }
            ]
        },
    )
    [one] = deployments.read(told)  # type: ignore[arg-type]
    [target] = one["targets"]
    assert one["error"] == "HEALTH_CONSTRAINTS: too many"
    assert not one["going_on"]
    assert (target["side"], target["events"][0]["log"]) == ("green", "no")


def test_a_way_back_is_told_from_a_release() -> None:
    def execution(number: str, **more: Any) -> dict[str, Any]:
        times = {"startTime": "now", "lastUpdateTime": "now"}
        trigger = {"triggerType": "CloudWatchEvent"}
        return {"pipelineExecutionId": number, "status": "Succeeded", "trigger": trigger, **times, **more}

    back = execution("2", rollbackMetadata={"rollbackTargetPipelineExecutionId": "1"})
    listed = {"pipelineExecutionSummaries": [back, execution("1")]}
    told = Told(list_pipelines={"pipelines": [{"name": "gbg"}]}, list_pipeline_executions=listed)
    told.answers |= {"get_pipeline_state": {}, "get_pipeline": {}, "list_action_executions": {}}
    [one] = pipelines.read(told)  # type: ignore[arg-type]
    assert [each["back_to"] for each in one["executions"]] == ["1", ""]


def test_a_step_that_runs_shows_what_its_command_has_printed_so_far() -> None:
    step = {
        "StepName": "Harden",
        "Action": "aws:runCommand",
        "StepStatus": "InProgress",
        "Inputs": {"InstanceIds": '["i-1"]'},
        "Outputs": {},
        "ExecutionStartTime": 10,
    }
    commands = [{"RequestedDateTime": 11, "CommandPlugins": [{"Output": "half"}]}]
    told = Told(list_command_invocations={"CommandInvocations": commands})
    assert bakes.step_output(told, step) == "half"  # type: ignore[arg-type]


def test_what_goes_on_is_read_more_often() -> None:
    assert seconds_between_reads([{"going_on": True}]) == GOING_ON_SECONDS
    assert seconds_between_reads([{"going_on": False}]) > GOING_ON_SECONDS
