"""Doing it: the order in which a deployment goes, each part decided from what is there when its turn comes.

What starts things is stopped first, then Part 3 goes, then the fleets that no stack knows, then Part 1, then
what stacks leave behind. A stack that does not go is deleted once more without what holds it, and that is
then removed for itself.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError, GbgError, NotThere, TimedOut
from gbg_lib.teardown.activity import activities, stop
from gbg_lib.teardown.inventory import keeps_records, read_inventory, read_stack, stack_names
from gbg_lib.teardown.kinds import Found
from gbg_lib.teardown.removers import deployment_groups, empty_bucket, remove
from gbg_lib.waiting import rounds

STOP_SECONDS = 1200.0
"""a release that hangs is not waited for: its machines are removed next"""
STACK_SECONDS = 3600.0
REST_SECONDS = 900.0
SETTLED = ("_COMPLETE", "_FAILED")
DELETABLE = ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS")
"""states of work in which CloudFormation takes a deletion"""


@dataclass(frozen=True)
class Told:
    """One piece of news."""

    part: str
    thing: str
    status: str


def remove_everything(
    aws: Aws, deployment: str, *, remove_records: bool, rest_seconds: float = REST_SECONDS
) -> Iterator[Told]:
    """Raises AwsError with all that stays and why, when something does.

    `rest_seconds`: how long things that no stack removes may hold each other.
    """
    pipeline, base = stack_names(deployment)
    yield from stop_activities(aws, deployment)
    for stack in (pipeline, base):
        if stack == base:
            yield from _remove_fleets(aws, deployment)
        yield from _empty_buckets(aws, deployment, stack, remove_records=remove_records)
        yield from remove_stack(aws, stack)
    yield from stop_activities(aws, deployment)  # a bake or build that began meanwhile
    yield from _remove_rest(aws, deployment, remove_records=remove_records, rest_seconds=rest_seconds)


def stop_activities(aws: Aws, deployment: str) -> Iterator[Told]:
    """Until nothing goes on any more; what does not end in time is told, not raised."""
    told: dict[str, str] = {}
    asked: set[str] = set()
    try:
        for _ in rounds(aws, limit_seconds=STOP_SECONDS, what="teardown", try_this=""):
            now = {one.thing: one for one in activities(aws, deployment)}
            for thing, one in now.items():
                if thing not in asked:
                    stop(aws, deployment, one)
                    asked.add(thing)
                if told.get(thing) != one.status:
                    told[thing] = one.status
                    yield Told("stop what goes on", thing, one.status)
            for thing in [thing for thing in told if thing not in now]:
                del told[thing]
                yield Told("stop what goes on", thing, "over")
            if not now:
                return
    except TimedOut:
        for thing in told:
            yield Told("stop what goes on", thing, "does not end; what it works on is removed")


def remove_stack(aws: Aws, name: str) -> Iterator[Told]:
    """Until it is gone, the second time without the resources that held it."""
    part = f"stack {name}"
    stack = read_stack(aws, name)
    if stack is None:
        return
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in DELETABLE:
        yield from _followed(aws, stack.id, part, lambda status: status.endswith(SETTLED))
    for mode in ("STANDARD", "STANDARD", "FORCE_DELETE_STACK"):
        stack = read_stack(aws, stack.id)
        if stack is None:
            return
        forced = {"DeletionMode": mode} if mode != "STANDARD" and stack.status == "DELETE_FAILED" else {}
        if stack.status != "DELETE_IN_PROGRESS":
            aws.call("cloudformation", "delete_stack", StackName=stack.id, **forced)
        yield from _followed(
            aws, stack.id, part, lambda status: status in ("DELETE_COMPLETE", "DELETE_FAILED")
        )
    if (left := read_stack(aws, stack.id)) is not None:
        raise AwsError(part, f"it stays in {left.status}: {left.reason}", "read its events")


def _followed(aws: Aws, stack_id: str, part: str, over: Callable[[str], bool]) -> Iterator[Told]:
    """Tells each change of the stack's status, and what holds it."""
    before = ""
    for _ in rounds(
        aws,
        limit_seconds=STACK_SECONDS,
        what=part,
        try_this="it goes on by itself: run this again to follow it",
    ):
        stack = read_stack(aws, stack_id)
        status = stack.status if stack else "DELETE_COMPLETE"
        left = f", {len(stack.resources)} resources left" if stack else ""
        if status + left != before:
            before = status + left
            yield Told(part, stack.name if stack else part.removeprefix("stack "), before)
        if over(status):
            return


def _remove_fleets(aws: Aws, deployment: str) -> Iterator[Told]:
    """Deployment groups first, so that CodeDeploy takes back its hooks; then copied groups and builders."""
    inventory = read_inventory(aws, deployment)
    for application in (thing for thing in inventory.things if thing.kind == "application"):
        for name in deployment_groups(aws, application.id):
            _delete_deployment_group(aws, application.id, name)
            yield Told("fleets", f"deployment group {name}", "deleted")
    groups = [thing for thing in inventory.outside if thing.kind == "group"]
    yield from _removed_until_gone(aws, deployment, "fleets", [*groups, *inventory.alone])


def _delete_deployment_group(aws: Aws, application: str, name: str) -> None:
    try:
        aws.call(
            "codedeploy",
            "delete_deployment_group",
            applicationName=application,
            deploymentGroupName=name,
        )
    except NotThere:
        return


def _removed_until_gone(
    aws: Aws,
    deployment: str,
    part: str,
    things: Iterable[Found],
) -> Iterator[Told]:
    """Ask for each once; wait until they are no longer listed."""
    waiting = {(thing.kind, thing.id): thing for thing in things}
    for thing in waiting.values():
        remove(aws, thing)
        yield Told(part, f"{thing.kind} {thing.name or thing.id}", "being removed")
    if not waiting:
        return
    for _ in rounds(
        aws,
        limit_seconds=REST_SECONDS,
        what=part,
        try_this="machines may take long to end; run this again",
    ):
        there = {(thing.kind, thing.id) for thing in read_inventory(aws, deployment).things}
        for key in [key for key in waiting if key not in there]:
            thing = waiting.pop(key)
            yield Told(part, f"{thing.kind} {thing.name or thing.id}", "gone")
        if not waiting:
            return


def _empty_buckets(aws: Aws, deployment: str, stack_name: str, *, remove_records: bool) -> Iterator[Told]:
    """The stack's own: CloudFormation deletes none that holds something, and may be at it already."""
    stack = read_stack(aws, stack_name)
    if stack is None:
        return
    for thing in read_inventory(aws, deployment).things:
        ours = thing.kind == "bucket" and thing.id in stack.resources
        if ours and (remove_records or not keeps_records(thing)):
            try:
                count = empty_bucket(aws, thing.id)
            except NotThere:
                continue
            yield Told("buckets", f"bucket {thing.name}", f"{count} versions of objects deleted")


def _remove_rest(aws: Aws, deployment: str, *, remove_records: bool, rest_seconds: float) -> Iterator[Told]:
    """What no stack removes, again and again until nothing is left: things hold each other for a while."""
    part = "what is left"
    stays: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    try:
        for _ in rounds(aws, limit_seconds=rest_seconds, what=part, try_this=""):
            left = [
                thing
                for thing in read_inventory(aws, deployment).things
                if remove_records or not keeps_records(thing)
            ]
            for key in sorted(seen - {(thing.kind, thing.name or thing.id) for thing in left}):
                seen.discard(key)
                yield Told(part, " ".join(key), "gone")
            if not left:
                return
            stays = {}
            for thing in left:
                seen.add((thing.kind, thing.name or thing.id))
                try:
                    remove(aws, thing)
                except GbgError as error:
                    stays[f"{thing.kind} {thing.name or thing.id}"] = error.what
    except TimedOut as error:
        said = "; ".join(f"{thing}: {why}" for thing, why in stays.items()) or "things are still listed"
        raise AwsError(
            f"teardown of {deployment}", said, "mend what holds them, then run this again"
        ) from error
