"""The CloudWatch agent on real machines: what is sent arrives, what is refused is told, nothing gets lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import open_machines
from tests.sandbox.host import skip_unless_allowed
from tests.sandbox.places import Place, eventually, make_place

GROUP = "/fleet"
CONTROL = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
FLEET = "/opt/aws/amazon-cloudwatch-agent/etc/fleet.json"
FETCH = f"{CONTROL} -a fetch-config -m ec2 -c file:{FLEET}"
KEPT = "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d"
OWN_LOG = "/opt/aws/amazon-cloudwatch-agent/logs/amazon-cloudwatch-agent.log"
RIGHTS = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
BLUEPRINT = Path(__file__).parents[2] / "gbg_lib/blueprint/part1/template.yaml"


def config(**metrics: Any) -> dict[str, Any]:
    files = {
        "file_path": "/var/log/web/access*.log",
        "log_group_name": GROUP,
        "log_stream_name": "{instance_id}/web",
    }
    logs = {"force_flush_interval": 1, "logs_collected": {"files": {"collect_list": [files]}}}
    return {"logs": logs} | ({"metrics": metrics} if metrics else {})


def blueprint_config() -> dict[str, Any]:
    """The configuration that the bake writes, as CloudFormation fills it in."""
    found = re.search(r"fleet\.json <<'JSON'\n(.*?)\n *JSON\n", BLUEPRINT.read_text(), re.DOTALL)
    assert found
    filled = found[1].replace("${!aws:", "${aws:").replace("${InstanceLogs}", GROUP)
    read: dict[str, Any] = json.loads(filled)
    return read


class Watched:
    """An instance with the agent's package, tagged as Auto Scaling tags its own."""

    def __init__(self, place: Place) -> None:
        self.place = place
        tags = [{"Key": "aws:autoscaling:groupName", "Value": "gbg-blue"}]
        (self.instance_id,) = place.launch(
            IamInstanceProfile={"Name": "watched"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        machine = place.cloud.machines.get(self.instance_id)
        assert machine is not None
        self.machine = machine
        self.shell("dnf -q -y install amazon-cloudwatch-agent; mkdir -p /var/log/web")

    def shell(self, commands: str) -> tuple[int, str]:
        written: list[bytes] = []
        status = self.machine.run(["bash", "-c", commands], output=written.append, real_seconds=60)
        return status, b"".join(written).decode()

    def configure(self, content: object, order: str = FETCH) -> tuple[int, str]:
        self.machine.write(FLEET, json.dumps(content).encode())
        return self.shell(order)

    def lines(self) -> list[str]:
        logs = self.place.cloud.client("logs")
        wanted = {"logGroupName": GROUP, "logStreamName": f"{self.instance_id}/web"}
        try:
            found = logs.get_log_events(**wanted, startFromHead=True)
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]

    def own_log(self) -> str:
        return self.shell(f"cat {OWN_LOG}")[1]


def make_profile(cloud: Cloud) -> None:
    """The instance profile `watched`."""
    iam = cloud.client("iam")
    allow = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.create_role(RoleName="watched", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName="watched", PolicyArn=RIGHTS)
    iam.create_instance_profile(InstanceProfileName="watched")
    iam.add_role_to_instance_profile(InstanceProfileName="watched", RoleName="watched")


@pytest.fixture(scope="module", params=["namespaces", "chroot"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("state")
    skip_unless_allowed(request.param, folder)
    cloud = Cloud(
        folder,
        open_machines=lambda at, files: open_machines(at, kind=request.param, site_files=files),
        scale=600,
    )
    cloud.start()
    make_profile(cloud)
    yield make_place(cloud)
    cloud.stop()


@pytest.fixture
def watched(place: Place) -> Iterator[Watched]:
    made = Watched(place)
    yield made
    place.ec2.terminate_instances(InstanceIds=[made.instance_id])


def test_lines_arrive_from_the_newest_file_and_through_rotation(watched: Watched) -> None:
    watched.shell("echo first > /var/log/web/access.1.log")
    assert watched.configure(config(), f"{FETCH} -s")[0] == 0
    eventually(lambda: watched.lines() == ["first"])
    watched.shell(
        "cd /var/log/web; printf 'Error: no\\n  at line 1\\n' >> access.1.log; mv access.1.log old;"
        "echo second > access.1.log"
    )
    eventually(lambda: watched.lines() == ["first", "Error: no\n  at line 1", "second"])
    watched.shell("cd /var/log/web; echo third > access.2.log")
    eventually(lambda: watched.lines()[3:] == ["third"])


def test_the_last_lines_before_a_stop_arrive_once(watched: Watched) -> None:
    slow = config()
    slow["logs"]["force_flush_interval"] = 60
    assert watched.configure(slow, f"{FETCH} -s")[0] == 0
    eventually(lambda: "follows 1" in watched.own_log())
    watched.shell("echo last > /var/log/web/access.log; systemctl stop amazon-cloudwatch-agent")
    eventually(lambda: watched.lines() == ["last"])
    watched.shell("echo more >> /var/log/web/access.log; systemctl start amazon-cloudwatch-agent")
    eventually(lambda: watched.own_log().count("follows 1") == 2)
    watched.shell("systemctl stop amazon-cloudwatch-agent")
    eventually(lambda: watched.lines() == ["last", "more"])


def test_figures_carry_the_instance_and_its_group(watched: Watched) -> None:
    collected = {"mem": {"measurement": ["mem_used_percent"]}, "disk": {"measurement": ["used_percent"]}}
    collected["disk"]["resources"] = ["/"]
    appended = {name: f"${{aws:{name}}}" for name in ("InstanceId", "InstanceType", "AutoScalingGroupName")}
    told = watched.configure(
        config(metrics_collected=collected, append_dimensions=appended, namespace="Fleet"), f"{FETCH} -s"
    )
    assert told[0] == 0, told[1]
    cloudwatch = watched.place.cloud.client("cloudwatch")
    mine = [{"Name": "InstanceId", "Value": watched.instance_id}]
    eventually(lambda: cloudwatch.list_metrics(Namespace="Fleet", Dimensions=mine)["Metrics"])
    metrics = cloudwatch.list_metrics(Namespace="Fleet", Dimensions=mine)["Metrics"]
    dimensions = {
        metric["MetricName"]: {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        for metric in metrics
    }
    own = {"InstanceId": watched.instance_id, "InstanceType": "t3.micro", "AutoScalingGroupName": "gbg-blue"}
    assert dimensions["mem_used_percent"] == own
    assert dimensions["disk_used_percent"].items() >= {**own, "path": "/"}.items()


def test_without_the_right_the_agent_says_so_and_goes_on(watched: Watched) -> None:
    iam = watched.place.cloud.client("iam")
    iam.detach_role_policy(RoleName="watched", PolicyArn=RIGHTS)
    try:
        watched.shell("echo patient > /var/log/web/access.log")
        assert watched.configure(config(), f"{FETCH} -s")[0] == 0
        eventually(lambda: "AccessDeniedException" in watched.own_log())
    finally:
        iam.attach_role_policy(RoleName="watched", PolicyArn=RIGHTS)
    eventually(lambda: watched.lines() == ["patient"])
    state = json.loads(watched.shell(f"{CONTROL} -a status")[1])
    assert state["status"] == "running" and state["starttime"].endswith("+00:00")


def test_the_configuration_of_the_bake_is_taken_as_it_is(watched: Watched) -> None:
    status, told = watched.configure(
        blueprint_config(), f"{FETCH} && systemctl enable amazon-cloudwatch-agent"
    )
    assert status == 0 and "Configuration validation succeeded" in told
    assert watched.shell(f"ls {KEPT}")[1] == "file_fleet.json\n"
    assert json.loads(watched.shell(f"{CONTROL} -a status")[1])["configstatus"] == "configured"


def test_a_parameter_is_fetched_with_the_role_of_the_instance(watched: Watched) -> None:
    ssm = watched.place.cloud.client("ssm")
    for name in ("AmazonCloudWatch-web", "elsewhere"):
        ssm.put_parameter(Name=name, Value=json.dumps(config()), Type="String", Overwrite=True)
    status, told = watched.shell(f"{CONTROL} -a fetch-config -m ec2 -c ssm:elsewhere")
    assert status == 1 and "AccessDenied" in told
    assert watched.shell(f"{CONTROL} -a fetch-config -m ec2 -c ssm:AmazonCloudWatch-web")[0] == 0
    assert watched.shell(f"ls {KEPT}")[1] == "ssm_AmazonCloudWatch-web\n"


@pytest.mark.parametrize(
    "bad, place_in_it, why",
    [
        ({"log": {}}, "/", "Additional property log is not allowed"),
        ({"traces": {}}, "/", "gbg_sandbox does not run traces"),
        ({"agent": {"metrics_collection_interval": "60"}}, "/agent/metrics_collection_interval/", "integer"),
        (
            {"metrics": {"metrics_collected": {"net": {}}}},
            "/metrics/metrics_collected/",
            "does not run net",
        ),
        (
            {"metrics": {"metrics_collected": {"mem": {"measurement": ["used_percnt"]}}}},
            "/metrics/metrics_collected/mem/measurement/0/",
            "does not measure used_percnt",
        ),
        (
            {"logs": {"logs_collected": {"files": {"collect_list": [{"file": "/var/log/x"}]}}}},
            "/logs/logs_collected/files/collect_list/0/",
            "Additional property file is not allowed",
        ),
    ],
)
def test_a_bad_configuration_is_refused_by_place(
    unwatched: Watched, bad: object, place_in_it: str, why: str
) -> None:
    status, told = unwatched.configure(bad)
    assert status == 1
    assert re.search(rf"Under path : {re.escape(place_in_it)} \| Error : .*{re.escape(why)}", told), told
    assert unwatched.shell(f"ls {KEPT}")[1] == ""


@pytest.fixture(scope="module")
def unwatched(place: Place) -> Watched:
    """An instance whose agent never gets a configuration."""
    return Watched(place)


@pytest.mark.parametrize(
    "words, why",
    [
        ("-a set-log-level -l DEBUG", "gbg_sandbox does not run set-log-level"),
        ("-a fetch-config -m ec2 -c default", "gbg_sandbox has no default configuration"),
        ("-a fetch-config -m onPremise -c file:/x", "gbg_sandbox does not run mode onPremise"),
        ("-a fetch-config -m ec2 -c file:/nowhere", "No such file or directory: /nowhere"),
        ("-a fetsh-config", "Invalid action: fetsh-config"),
    ],
)
def test_what_the_control_does_not_do_it_refuses_by_name(unwatched: Watched, words: str, why: str) -> None:
    status, told = unwatched.shell(f"{CONTROL} {words}")
    assert status == 1 and why in told
