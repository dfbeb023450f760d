"""From 2 to 20 instances: the time that each one more takes, with and without a JVM that starts in it.

All are launched at once from the golden image; in one round each starts Tomcat and waits for its answer, in
the other it does not. What an instance costs the sandbox is the second; the difference is the JVM's own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from common import Sandbox, eventually, sandbox, tell

COUNTS = (2, 5, 10, 20)
WITH_TOMCAT = (
    "systemctl start tomcat10; until curl -s -o /dev/null http://localhost:8080/; do sleep 0.05; done"
)


class Launches:
    def __init__(self, one: Sandbox) -> None:
        self.ec2, self.ssm = one.client("ec2"), one.client("ssm")
        self.subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        templates = self.ec2.describe_launch_template_versions(Versions=["$Latest"])["LaunchTemplateVersions"]
        self.profile = templates[0]["LaunchTemplateData"]["IamInstanceProfile"]
        self.image = self.ssm.get_parameter(Name="/gbg/golden-ami")["Parameter"]["Value"]

    def seconds(self, count: int, command: str) -> float:
        """Real seconds until `command` has succeeded in each of so many instances; they end afterwards."""
        begun = time.monotonic()
        made = self.ec2.run_instances(
            ImageId=self.image,
            SubnetId=self.subnet,
            IamInstanceProfile=self.profile,
            MinCount=count,
            MaxCount=count,
        )["Instances"]
        instances = {found["InstanceId"] for found in made}
        eventually(f"agents of {count} instances", lambda: instances <= self._online())
        sent = self.ssm.send_command(
            InstanceIds=sorted(instances),
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": [command]},
        )["Command"]["CommandId"]
        eventually("the command everywhere", lambda: self._succeeded(sent))
        took = time.monotonic() - begun
        self.ec2.terminate_instances(InstanceIds=sorted(instances))
        eventually("their end", lambda: not instances & self._online())
        return took

    def _online(self) -> set[str]:
        found = self.ssm.describe_instance_information(MaxResults=50)["InstanceInformationList"]
        return {one["InstanceId"] for one in found if one["PingStatus"] == "Online"}

    def _succeeded(self, command: str) -> bool:
        status = self.ssm.list_commands(CommandId=command)["Commands"][0]["Status"]
        if status not in ("Pending", "InProgress", "Success"):
            raise RuntimeError(f"the command is {status}")
        return bool(status == "Success")


def slope(counts: Sequence[int], seconds: Sequence[float]) -> float:
    return statistics.linear_regression(counts, seconds).slope


def main() -> None:
    with sandbox() as one:
        one.gbg("up")
        one.gbg("run", "01", "02", "03", "04", "-p", "termination_wait_minutes=0")
        launches = Launches(one)
        bare = [launches.seconds(count, "true") for count in COUNTS]
        whole = [launches.seconds(count, WITH_TOMCAT) for count in COUNTS]
    rows = [
        {"instances": count, "with Tomcat": with_jvm, "without": without}
        for count, with_jvm, without in zip(COUNTS, whole, bare, strict=True)
    ]
    each, sandboxes = slope(COUNTS, whole), slope(COUNTS, bare)
    tell(
        "instances, seconds until all answer",
        rows,
        each_more_with_tomcat=each,
        each_more_without=sandboxes,
        sandbox_share=sandboxes / each,
        claim="what an instance costs the sandbox is less than its JVM's start",
    )


if __name__ == "__main__":
    main()
