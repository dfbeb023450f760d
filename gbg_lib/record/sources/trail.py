"""CloudTrail's slice: every call that changed something of this deployment during the release.

One attribute a look-up, 50 events a page, two calls a second; events come some minutes late.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from gbg_lib.alarms_of_fleets import OF_A_POLICY
from gbg_lib.deployment_group import green_group
from gbg_lib.record.gathering import Gathering, Subject

BASE = "-base"
"""how the names of Part 1's stacks end"""
MOST_EVENTS = 5_000
LONGEST = 400
NOISE = frozenset(
    {"UpdateInstanceInformation", "PutInventory", "PutLogEvents", "CreateLogStream", "PutMetricData"}
    | {"PutHostCommandAcknowledgement", "PutHostCommandComplete", "PutJobSuccessResult"}
)
"""what agents and functions say of themselves all the time"""
AGENTS = frozenset(
    {"ec2messages.amazonaws.com", "ssmmessages.amazonaws.com", "codedeploy-commands.amazonaws.com"}
)


def calls(subject: Subject, found: Gathering) -> None:
    looked_at = 0
    longer: set[str] = set()
    with found.source("names of other deployments"):
        longer |= longer_names(subject)
    named, known = names(subject.deployment, longer), tuple(identifiers(subject, found))
    events = subject.aws.pages(
        "cloudtrail",
        "lookup_events",
        "Events",
        LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
        StartTime=subject.begin,
        EndTime=subject.end,
    )
    for event in islice(events, MOST_EVENTS):
        looked_at += 1
        text = event.pop("CloudTrailEvent", "{}")
        event.pop("Resources", None)  # values without their names can't be masked; the event itself has both
        if (
            event["EventName"] in NOISE
            or event["EventSource"] in AGENTS
            or not (named.search(text) or any(one in text for one in known))
        ):
            continue
        told = {**event, "event": shortened(json.loads(text))}
        key = event["EventId"]
        found.add("api.call", key, "cloudtrail:lookup_events", told, at=event["EventTime"])
    if looked_at >= MOST_EVENTS:
        found.miss(
            f"API calls before the last {MOST_EVENTS}",
            "the account is too busy to look at all of them",
            "cloudtrail:lookup_events",
        )


def shortened(value: Any) -> Any:
    """Templates and scripts that a call carried are in the record already: their beginning is enough."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value)} characters)"
    return value


def longer_names(subject: Subject) -> set[str]:
    """Deployments that are or were in the account, and whose names begin as this one's: `gbg-test`."""
    begins = f"{subject.deployment}-"
    stacks = subject.aws.pages("cloudformation", "list_stacks", "StackSummaries")
    bases = {
        str(stack["StackName"]).removesuffix(BASE) for stack in stacks if stack["StackName"].endswith(BASE)
    }
    return {name for name in bases if name.startswith(begins)}


def names(deployment: str, longer: Iterable[str] = ()) -> re.Pattern[str]:
    """The deployment, and what is named after it.

    Not what only ends like it, as `my-gbg-queue` does, nor what is named after one with a `longer` name.
    """
    name = re.escape(deployment)
    others = "|".join(re.escape(one.removeprefix(f"{deployment}-")) for one in longer)
    own = rf"{name}-(?!(?:{others})(?![^\W_]))" if others else f"{name}-"
    return re.compile(rf'(?<![\w-])({OF_A_POLICY})?{own}|/{name}/|"{name}"')


def identifiers(subject: Subject, found: Gathering) -> Iterable[str]:
    """What else an event may name to belong to the release."""
    yield from (subject.execution_id, subject.base["LaunchTemplateId"])
    yield green_group(subject.base["DeploymentGroupName"])
    yield from filter(None, (subject.automation, subject.output("ImageId")))
    yield from subject.deployments
    yield from (one.id.partition(":")[2] for one in found.of("instance"))
    yield from (str(one.data["targetId"]) for one in found.of("machine"))
