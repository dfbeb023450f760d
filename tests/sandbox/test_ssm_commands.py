"""Run Command with the agent's own program, whose files lie under a directory of the test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import Principal
from tests.sandbox.places import Place, eventually, make_place

GUEST_LIBRARY = Path(__file__).parents[2] / "gbg_sandbox/machines/guest/usr/lib/gbg-guest"
CORE = (
    "ssm:UpdateInstanceInformation",
    "ec2messages:*",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
)


class ServiceError(Exception):
    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class InstanceAws:
    """The guest's module `instance_aws`, for an agent outside of a machine: signed calls to the sandbox."""

    ServiceError = ServiceError
    InstanceError = LookupError

    def __init__(self, cloud: Cloud, instance_id: str, role: str) -> None:
        arn = f"arn:aws:sts::{cloud.account}:assumed-role/{role}/{instance_id}"
        principal = Principal(
            "role", arn, cloud.account, role_name=role, session_name=instance_id, instance_id=instance_id
        )
        keys = cloud.credentials.issue(principal, real_seconds=600)
        self._keys = Credentials(keys.access_key, keys.secret_key, keys.token)
        self._cloud = cloud
        self._instance_id = instance_id
        self.cut = False
        """no way out any more, as when the network fails"""

    def identity(self) -> dict[str, str]:
        return {"instanceId": self._instance_id, "privateIp": "10.0.1.9"}

    def region(self) -> str:
        return self._cloud.region

    def call(
        self, service: str, action: str, payload: Mapping[str, Any], timeout: int = 30
    ) -> dict[str, Any]:
        if self.cut:
            raise OSError("the network is gone")
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": action}
        request = AWSRequest("POST", self._cloud.endpoint_url + "/", headers, json.dumps(payload))
        SigV4Auth(self._keys, service, self._cloud.region).add_auth(request)
        answer = URLLib3Session(timeout=timeout).send(request.prepare())
        if answer.status_code >= 300:
            told = json.loads(answer.content)
            raise ServiceError(
                told["__type"], told.get("message", told.get("Message", "")), answer.status_code
            )
        found: dict[str, Any] = json.loads(answer.content or b"{}")
        return found


class Crew:
    """Agents of instances, each in a thread."""

    def __init__(self, cloud: Cloud, place: Place, directory: Path, ssm_agent: types.ModuleType) -> None:
        self.cloud, self.place, self.ssm = cloud, place, cloud.client("ssm")
        self._directory, self._module = directory, ssm_agent
        self._agents: list[Any] = []
        self._threads: list[threading.Thread] = []
        self.links: dict[str, InstanceAws] = {}
        self.role("managed", *CORE)

    def role(self, name: str, *actions: str) -> None:
        iam = self.cloud.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        version = "2012-10-17"
        iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": version, "Statement": [trust]})
        )
        rights = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        iam.put_role_policy(
            RoleName=name,
            PolicyName="rights",
            PolicyDocument=json.dumps({"Version": version, "Statement": [rights]}),
        )

    def root(self, instance_id: str) -> Path:
        return self._directory / instance_id

    def enlist(self, role: str = "managed", **launch: Any) -> str:
        """An instance whose agent runs; not yet registered."""
        (instance_id,) = self.place.launch(**launch)
        root = self.root(instance_id)
        (root / "etc").mkdir(parents=True)
        (root / "etc/os-release").write_text('NAME="Amazon Linux"\nVERSION_ID="2023"\n')
        self.links[instance_id] = InstanceAws(self.cloud, instance_id, role)
        agent = self._module.Agent(self.links[instance_id], root, self._start, "3.3.1.0")
        self._agents.append(agent)
        self._start(agent.run)
        return instance_id

    def online(self, **launch: Any) -> str:
        instance_id = self.enlist(**launch)
        eventually(lambda: self.status(instance_id) == "Online")
        return instance_id

    def status(self, instance_id: str) -> str:
        found = self.ssm.describe_instance_information(
            Filters=[{"Key": "InstanceIds", "Values": [instance_id]}]
        )["InstanceInformationList"]
        return str(found[0]["PingStatus"]) if found else ""

    def send(self, *commands: str, instances: list[str], **more: Any) -> str:
        parameters = {"commands": list(commands), **more.pop("parameters", {})}
        sent = self.ssm.send_command(
            DocumentName="AWS-RunShellScript", InstanceIds=instances, Parameters=parameters, **more
        )
        return str(sent["Command"]["CommandId"])

    def result(self, command: str, instance_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            found: dict[str, Any] = self.ssm.get_command_invocation(CommandId=command, InstanceId=instance_id)
            return found

        eventually(lambda: look()["Status"] not in ("Pending", "InProgress", "Cancelling"))
        return look()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def dismiss(self) -> None:
        for agent in self._agents:
            agent.stopped = True
        for link in self.links.values():
            link.cut = True
        for mark in self._directory.glob("*/var/lib/amazon/ssm/*/document/state/current/*"):
            with contextlib.suppress(OSError, IndexError):
                os.killpg(int(mark.read_text().split()[-1]), signal.SIGKILL)


@pytest.fixture(scope="module")
def ssm_agent() -> Iterator[types.ModuleType]:
    sys.path.insert(0, str(GUEST_LIBRARY))
    import importlib

    yield importlib.import_module("ssm_agent.agent")
    sys.path.remove(str(GUEST_LIBRARY))


@pytest.fixture
def crew(cloud: Cloud, tmp_path: Path, ssm_agent: types.ModuleType) -> Iterator[Crew]:
    made = Crew(cloud, make_place(cloud), tmp_path / "roots", ssm_agent)
    yield made
    made.dismiss()


def test_a_command_runs_where_it_is_sent(crew: Crew) -> None:
    instance_id = crew.online()
    command = crew.send("echo out", "echo $AWS_SSM_INSTANCE_ID", "echo bad >&2", instances=[instance_id])
    result = crew.result(command, instance_id)
    assert (result["Status"], result["ResponseCode"]) == ("Success", 0)
    assert result["StandardOutputContent"] == f"out\n{instance_id}\n"
    assert result["StandardErrorContent"] == "bad\n"
    folder = f"var/lib/amazon/ssm/{instance_id}/document/orchestration/{command}/awsrunShellScript"
    kept = crew.root(instance_id) / folder / "0.awsrunShellScript"
    assert (kept / "stdout").read_text() == f"out\n{instance_id}\n"
    assert (kept / "_script.sh").read_text().startswith("echo out\n")
    (listed,) = crew.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert listed["CommandPlugins"][0]["Output"] == f"out\n{instance_id}\n\n----------ERROR-------\nbad\n"
    (whole,) = crew.ssm.list_commands(CommandId=command)["Commands"]
    assert (whole["Status"], whole["CompletedCount"], whole["ErrorCount"]) == ("Success", 1, 0)


def test_the_agent_tells_what_its_machine_is(crew: Crew) -> None:
    instance_id = crew.online()
    (told,) = crew.ssm.describe_instance_information()["InstanceInformationList"]
    assert told["InstanceId"] == instance_id
    assert (told["PlatformName"], told["PlatformVersion"], told["AgentVersion"]) == (
        "Amazon Linux", "2023", "3.3.1.0",
    )  # fmt: skip


def test_the_exit_status_of_a_script_fails_its_command(crew: Crew) -> None:
    instance_id = crew.online()
    result = crew.result(crew.send("echo before", "exit 3", instances=[instance_id]), instance_id)
    assert (result["Status"], result["StatusDetails"], result["ResponseCode"]) == ("Failed", "Failed", 3)
    assert result["StandardOutputContent"] == "before\n"
    assert result["StandardErrorContent"] == "failed to run commands: exit status 3"


def test_a_script_that_takes_too_long_is_killed_with_its_children(crew: Crew) -> None:
    instance_id = crew.online()
    directory = crew.root(instance_id) / "work"
    directory.mkdir()
    parameters = {"executionTimeout": ["1"], "workingDirectory": [str(directory)]}
    lines = ["sleep 60 &", "echo $! > child", "echo begun", "wait"]
    result = crew.result(crew.send(*lines, instances=[instance_id], parameters=parameters), instance_id)
    assert (result["Status"], result["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert result["StandardOutputContent"] == "begun\n"
    eventually(lambda: not lives((directory / "child").read_text().strip()))


def lives(pid: str) -> bool:
    """A process that is there and no zombie."""
    try:
        stat = Path("/proc", pid, "stat").read_text()
    except OSError:  # it ends just now
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_running_command_can_be_cancelled(crew: Crew) -> None:
    instance_id = crew.online()
    command = crew.send("echo begun", "sleep 30", instances=[instance_id])
    running = crew.root(instance_id) / f"var/lib/amazon/ssm/{instance_id}/document/state/current/{command}"
    eventually(running.exists)
    crew.ssm.cancel_command(CommandId=command)
    assert crew.result(command, instance_id)["Status"] == "Cancelled"


def test_without_the_right_an_instance_is_not_managed(crew: Crew) -> None:
    crew.role("bare", "ec2messages:*")
    instance_id = crew.enlist(role="bare")
    log = crew.root(instance_id) / "var/log/amazon/ssm/amazon-ssm-agent.log"
    eventually(lambda: log.exists() and "ssm:UpdateInstanceInformation" in log.read_text())
    assert crew.status(instance_id) == ""
    with pytest.raises(
        ClientError, match=r"InvalidInstanceId.*not in a valid state for account 123456789012"
    ):
        crew.send("true", instances=[instance_id])


def test_an_agent_speaks_for_its_own_instance_only(crew: Crew) -> None:
    first, second = crew.online(), crew.online()
    for action, key in (("UpdateInstanceInformation", "AmazonSSM"),):
        with pytest.raises(ServiceError, match="can't speak for instance"):
            crew.links[first].call("ssm", f"{key}.{action}", {"InstanceId": second})


def test_a_machine_that_goes_off_is_lost_and_gets_nothing(crew: Crew) -> None:
    instance_id = crew.online()
    command = crew.send("sleep 30", instances=[instance_id])
    crew.place.ec2.stop_instances(InstanceIds=[instance_id])
    eventually(lambda: crew.status(instance_id) == "ConnectionLost")
    assert crew.result(command, instance_id)["Status"] in ("TimedOut", "Failed")
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        crew.send("true", instances=[instance_id])
    crew.place.ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: crew.status(instance_id) == "")


def test_targets_are_found_by_tag(crew: Crew) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "fleet", "Value": "blue"}]}]
    blue, other = crew.online(TagSpecifications=tags), crew.online()
    sent = crew.ssm.send_command(
        DocumentName="AWS-RunShellScript",
        Targets=[{"Key": "tag:fleet", "Values": ["blue"]}],
        Parameters={"commands": ["true"]},
    )["Command"]
    assert crew.result(sent["CommandId"], blue)["Status"] == "Success"
    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        crew.ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=other)


def test_output_goes_to_logs_under_the_instances_role(crew: Crew) -> None:
    instance_id = crew.online()
    config = {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/gbg/bake"}
    command = crew.send("echo one", "echo two", instances=[instance_id], CloudWatchOutputConfig=config)
    assert crew.result(command, instance_id)["Status"] == "Success"
    events = crew.cloud.client("logs").get_log_events(
        logGroupName="/gbg/bake", logStreamName=f"{command}/{instance_id}/aws-runShellScript/stdout"
    )["events"]
    assert [event["message"] for event in events] == ["one", "two"]


def test_the_software_of_a_machine_is_kept_as_inventory(crew: Crew) -> None:
    crew.role("listed", *CORE, "ssm:PutInventory")
    instance_id = crew.online(role="listed")
    item = {
        "TypeName": "AWS:Application",
        "SchemaVersion": "1.1",
        "CaptureTime": "2026-11-24T00:00:00Z",
        "Content": [{"Name": "tomcat10", "Version": "10.1.34"}],
    }
    crew.links[instance_id].call(
        "ssm", "AmazonSSM.PutInventory", {"InstanceId": instance_id, "Items": [item]}
    )
    crew.place.ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: crew.status(instance_id) == "")
    listed = crew.ssm.list_inventory_entries(InstanceId=instance_id, TypeName="AWS:Application")
    assert listed["Entries"] == item["Content"]


def test_what_can_not_be_done_is_refused(crew: Crew) -> None:
    instance_id = crew.online()
    with pytest.raises(ClientError, match=r"InvalidParameters.*Parameter command is not defined"):
        crew.ssm.send_command(
            DocumentName="AWS-RunShellScript", InstanceIds=[instance_id], Parameters={"command": ["true"]}
        )
    with pytest.raises(ClientError, match=r"InvalidParameters.*executionTimeout"):
        crew.send("true", instances=[instance_id], parameters={"executionTimeout": ["soon"]})
    with pytest.raises(ClientError, match="gbg_sandbox does not run MaxErrors"):
        crew.send("true", instances=[instance_id], MaxErrors="1")


def test_automation_runs_commands_and_keeps_a_failure_a_failure(crew: Crew) -> None:
    instance_id = crew.online()
    run = {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance_id]}
    steps = [
        {
            "name": "say",
            "action": "aws:runCommand",
            "inputs": {**run, "Parameters": {"commands": ["echo hi"]}},
        },
        {
            "name": "fall",
            "action": "aws:runCommand",
            "inputs": {**run, "Parameters": {"commands": ["exit 7"]}},
        },
    ]
    content = json.dumps({"schemaVersion": "0.3", "mainSteps": steps, "outputs": ["say.Output"]})
    crew.ssm.create_document(Name="say", DocumentType="Automation", Content=content)
    execution = crew.ssm.start_automation_execution(DocumentName="say")["AutomationExecutionId"]

    def look() -> dict[str, Any]:
        found: dict[str, Any] = crew.ssm.get_automation_execution(AutomationExecutionId=execution)
        shape: dict[str, Any] = found["AutomationExecution"]
        return shape

    eventually(lambda: look()["AutomationExecutionStatus"] in ("Success", "Failed"))
    done = look()
    assert done["AutomationExecutionStatus"] == "Failed"
    assert done["Outputs"] == {"say.Output": ["hi\n"]}
    assert done["FailureMessage"].startswith(
        "Step fails when it is verifying the command has completed. Command "
    )
    assert (
        "returns unexpected invocation result: {Status=[Failed], ResponseCode=[7]" in done["FailureMessage"]
    )
    assert done["StepExecutions"][1]["ResponseCode"] == "7"
