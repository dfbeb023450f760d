"""Asks machines directly what they answer, past the load balancer.

Their security group lets only the load balancer in, so each machine asks itself, by SSM Run Command: it works
for green before it has the traffic, and for blue after it has lost it.
https://docs.aws.amazon.com/systems-manager/latest/userguide/run-command.html
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.fleet import Page
from gbg_lib.waiting import wait_until

PATHS = ("/", "/health")
ORIGIN = "http://localhost:8080"
COMMAND_SECONDS = 120
MOST_AT_ONCE = 50
MOST_BYTES = 6000
"""of a body: a command's output is cut after 24,000 characters"""
PENDING = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})


@dataclass(frozen=True)
class Answer:
    """What one machine says of itself."""

    instance: str
    pages: tuple[Page, ...]
    error: str = ""
    """why nothing is known of it"""

    @property
    def ok(self) -> bool:
        return not self.error and all(page.status == 200 for page in self.pages)

    @property
    def facts(self) -> dict[str, str]:
        """What its /health tells of the release."""
        return self.pages[-1].facts if self.pages else {}


@dataclass(frozen=True)
class Answers:
    machines: tuple[Answer, ...]

    @property
    def ok(self) -> bool:
        return bool(self.machines) and all(machine.ok for machine in self.machines)

    @property
    def told(self) -> str:
        good = sum(machine.ok for machine in self.machines)
        bad = [f"{one.instance}: {one.error or _statuses(one)}" for one in self.machines if not one.ok]
        return "; ".join([f"{good} of {len(self.machines)} machines answer", *bad])


def smoke(aws: Aws, instances: Sequence[str], paths: Sequence[str] = PATHS) -> Answers:
    """Every machine's answer to each path. Raises TimedOut when no word comes back at all."""
    found: list[Answer] = []
    for first in range(0, len(instances), MOST_AT_ONCE):
        found.extend(_asked(aws, list(instances[first : first + MOST_AT_ONCE]), paths))
    return Answers(tuple(found))


def script(paths: Sequence[str]) -> str:
    """Two lines a path: its status (000 where nothing answers) and the beginning of its body in base64."""
    asked = [
        f"curl -s -m 10 -o $body -w '%{{http_code}}\\n' {ORIGIN}{path}; "
        f"head -c {MOST_BYTES} $body | base64 -w 0; echo; : > $body"
        for path in paths
    ]
    return "\n".join(["body=$(mktemp)", *asked, "rm -f $body"])


def _asked(aws: Aws, instances: list[str], paths: Sequence[str]) -> list[Answer]:
    sent = aws.call(
        "ssm",
        "send_command",
        DocumentName="AWS-RunShellScript",
        InstanceIds=instances,
        Comment="smoke test",
        Parameters={"commands": [script(paths)]},
        TimeoutSeconds=COMMAND_SECONDS,
    )["Command"]["CommandId"]
    return [_answer(aws, sent, instance, paths) for instance in instances]


def _answer(aws: Aws, command: str, instance: str, paths: Sequence[str]) -> Answer:
    def look() -> dict[str, str] | None:
        try:
            found = aws.call("ssm", "get_command_invocation", CommandId=command, InstanceId=instance)
        except NotThere:
            return None
        return None if found["Status"] in PENDING else found

    found = wait_until(
        aws,
        look,
        limit_seconds=2 * COMMAND_SECONDS,
        what=f"smoke test on {instance}",
        try_this="is its SSM agent online (`aws ssm describe-instance-information`)?",
    )
    if found["Status"] != "Success":
        return Answer(instance, (), f"the command ended as {found['Status']}")
    lines = found["StandardOutputContent"].splitlines()
    pages = [_page(path, *lines[2 * n : 2 * n + 2]) for n, path in enumerate(paths) if len(lines) > 2 * n]
    return Answer(instance, tuple(pages), "" if len(pages) == len(paths) else "the command told too little")


def _page(path: str, status: str, body: str = "") -> Page:
    return Page(path, int(status), base64.b64decode(body).decode(errors="replace"))


def _statuses(answer: Answer) -> str:
    return ", ".join(f"{page.url} {page.status or 'no answer'}" for page in answer.pages)
