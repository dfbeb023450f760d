"""The CloudWatch agent on a real machine: lines arrive in Logs, figures in CloudWatch, a bad config is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import MachineError, open_machines
from tests.sandbox.places import Place, eventually, make_place

GROUP = "/fleet"
CONTROL = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
FLEET = "/opt/aws/amazon-cloudwatch-agent/etc/fleet.json"
FETCH = f"{CONTROL} -a fetch-config -m ec2 -c file:{FLEET}"
OWN_LOG = "/opt/aws/amazon-cloudwatch-agent/logs/amazon-cloudwatch-agent.log"
CONFIG: dict[str, Any] = {
    "agent": {"run_as_user": "root"},
    "metrics": {
        "append_dimensions": {"InstanceId": "${aws:InstanceId}"},
        "metrics_collected": {
            "mem": {"measurement": ["mem_used_percent"]},
            "disk": {"measurement": ["used_percent"], "resources": ["/"]},
        },
    },
    "logs": {
        "force_flush_interval": 1,
        "logs_collected": {
            "files": {
                "collect_list": [
                    {
                        "file_path": "/var/log/web/access*.log",
                        "log_group_name": GROUP,
                        "log_stream_name": "{instance_id}/web",
                    }
                ]
            }
        },
    },
}


class Watched:
    """An instance with the agent's package."""

    def __init__(self, place: Place, instance_id: str) -> None:
        self.place = place
        self.instance_id = instance_id
        machine = place.cloud.machines.get(instance_id)
        assert machine is not None
        self.machine = machine
        self.shell("dnf -q -y install amazon-cloudwatch-agent")

    def shell(self, commands: str) -> tuple[int, str]:
        written: list[bytes] = []
        status = self.machine.run(["bash", "-c", commands], output=written.append, real_seconds=60)
        return status, b"".join(written).decode()

    def configure(self, config: object, order: str = FETCH) -> tuple[int, str]:
        self.machine.write(FLEET, json.dumps(config).encode())
        return self.shell(order)

    def lines(self) -> list[str]:
        logs = self.place.cloud.client("logs")
        try:
            found = logs.get_log_events(
                logGroupName=GROUP, logStreamName=f"{self.instance_id}/web", startFromHead=True
            )
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]


def make_profile(cloud: Cloud, *rights: str) -> None:
    """The instance profile `watched`."""
    iam = cloud.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(
        RoleName="watched",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    for right in rights:
        iam.attach_role_policy(RoleName="watched", PolicyArn=f"arn:aws:iam::aws:policy/{right}")
    iam.create_instance_profile(InstanceProfileName="watched")
    iam.add_role_to_instance_profile(InstanceProfileName="watched", RoleName="watched")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    try:
        cloud = Cloud(
            tmp_path_factory.mktemp("state"),
            open_machines=lambda folder, files: open_machines(folder, site_files=files),
            scale=600,
        )
    except MachineError as error:
        pytest.skip(f"no machines here: {error}")
    cloud.start()
    make_profile(cloud, "CloudWatchAgentServerPolicy")
    place = make_place(cloud)
    (instance_id,) = place.launch(IamInstanceProfile={"Name": "watched"})
    yield Watched(place, instance_id)
    cloud.stop()


def test_lines_and_figures_arrive(watched: Watched) -> None:
    status, told = watched.configure(CONFIG)
    assert status == 0, told
    assert "Configuration validation succeeded" in told
    watched.shell("mkdir -p /var/log/web; echo first > /var/log/web/access.1.log")
    assert watched.shell("systemctl enable --now amazon-cloudwatch-agent")[0] == 0
    eventually(lambda: watched.lines() == ["first"])
    watched.shell("cd /var/log/web; echo second >> access.1.log; echo third > access.2.log")
    eventually(lambda: watched.lines() == ["first", "second", "third"])
    metrics = watched.place.cloud.client("cloudwatch")
    eventually(lambda: len(metrics.list_metrics(Namespace="CWAgent")["Metrics"]) == 2)
    assert {
        (one["MetricName"], dimension["Value"])
        for one in metrics.list_metrics(Namespace="CWAgent")["Metrics"]
        for dimension in one["Dimensions"]
        if dimension["Name"] == "InstanceId"
    } == {("mem_used_percent", watched.instance_id), ("disk_used_percent", watched.instance_id)}


def test_a_bad_configuration_is_refused_and_does_not_stay(watched: Watched) -> None:
    bad = {"logs": {"logs_collected": {"files": {"collect_list": [{"file": "/var/log/x"}]}}}}
    status, told = watched.configure(bad)
    assert status == 1
    assert "Under path : /logs/logs_collected/files/collect_list/0/" in told
    assert "Additional property file is not allowed" in told
    assert "mem_used_percent" not in told
