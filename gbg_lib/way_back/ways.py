"""Which ways lead back from a release, which of them are open, and what each costs. Changes nothing.

A way back always brings application and image of one release together.
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gbg_lib.errors import GateRefused, MisuseError
from gbg_lib.fleet import Fleet
from gbg_lib.images import Lineage
from gbg_lib.pipeline import BAKE, DEPLOY
from gbg_lib.release import Release
from gbg_lib.way_back.situation import Situation

Kind = Literal["blue", "stay", "redeploy", "retry"]
MEANS = {
    "blue": "traffic back to blue",
    "stay": "stay, and bring what is written down in line",
    "redeploy": "the last good release again, on its own image",
    "retry": "the failed stage once more",
}
IN_SERVICE = "InService"
ROLLBACK = "codeDeployRollback"


@dataclass(frozen=True)
class Way:
    kind: Kind
    open: bool
    reason: str
    cost: str
    release: Release | None = None
    """the one that serves afterwards; None for the first fleet"""

    @property
    def means(self) -> str:
        return MEANS[self.kind]


@dataclass(frozen=True)
class WaysBack:
    ways: tuple[Way, ...]
    """in the order in which they are preferred"""
    serving: Release | None
    """the release that serves now; None for the first fleet, or when nothing serves"""

    def choose(self, asked: str = "") -> Way:
        """The way asked for, or else the first that is open. Raises GateRefused when it is shut."""
        if asked and asked not in MEANS:
            raise MisuseError(
                "way_back", f"there is no way {asked!r}", f"one of {', '.join(MEANS)}, or empty"
            )
        for way in self.ways:
            if way.kind == asked or (not asked and way.open):
                if way.open:
                    return way
                raise GateRefused(f"way back: {way.means}", way.reason, self._others())
        shut = "; ".join(f"{way.means}: {way.reason}" for way in self.ways)
        raise GateRefused("way back", f"none is open ({shut})", "runbook 07 shows what differs and mends it")

    def _others(self) -> str:
        others = [f"{way.kind} ({way.means})" for way in self.ways if way.open]
        return f"open is {', '.join(others)}" if others else "runbook 07 shows what differs and mends it"


def ways_back(situation: Situation, releases: Sequence[Release], lineage: Lineage, to: str = "") -> WaysBack:
    """`releases` come newest first. `to` is the execution to go back to; empty is the last good one.

    Raises MisuseError for an execution that is none of these.
    """
    serving = serving_release(situation, releases)
    redeploy = _redeploy(situation, releases, lineage, _target(serving, releases, to))
    if to:
        return WaysBack((redeploy,), serving)
    blue, retry = _blue(situation, serving, releases), _retry(situation, releases)
    stay = _stay(situation, serving, releases)
    ended_badly = bool(releases) and releases[0].status not in ("Succeeded", "InProgress")
    first, last = ((stay,), ()) if ended_badly else ((), (stay,))
    return WaysBack((blue, *first, redeploy, retry, *last), serving)


def serving_release(situation: Situation, releases: Sequence[Release]) -> Release | None:
    """The release whose image the serving machines run."""
    fleet = situation.serving
    image = running(fleet)[1] if fleet else ""
    return next((one for one in releases if image and one.image == image and not one.rolls_back_to), None)


def running(fleet: Fleet) -> tuple[str, str]:
    """Template version and image of most of its machines; empty without machines."""
    found = [(one.template_version, one.image) for one in fleet.instances]
    return max(found, key=found.count, default=("", ""))


def _blue(situation: Situation, serving: Release | None, releases: Sequence[Release]) -> Way:
    deployment = situation.going_on
    if deployment is None:
        return Way("blue", False, "no deployment is going on, so there is no blue beside green", "")
    if deployment.creator == ROLLBACK:
        return Way("blue", False, f"{deployment.id} is a rollback already: wait for its end", "")
    blue = blue_fleet(situation)
    if blue is None:
        return Way("blue", False, "blue's machines are gone, or going, or can't be told from others", "")
    moved = deployment.termination_wait
    if moved and not situation.group.last_successful:
        return Way("blue", False, "CodeDeploy knows no earlier release to go back to: this is the first", "")
    green = situation.fleet(situation.group.green(deployment.id))
    lost = len(green.instances) if green else 0
    machines = f"green's {lost} machines are ended" if lost else "green has no machines yet"
    cost = (
        f"blue's {len(blue.instances)} machines take the traffic, then green's are drained; {machines}"
        if moved or (green is not None and green.serving)
        else f"nothing for visitors, blue still serves; {machines}"
    )
    before = next((one for one in releases if one.image and one.image == running(blue)[1]), serving)
    return Way("blue", True, f"{deployment.id} is going on and {blue.group} lives", cost, before)


def blue_fleet(situation: Situation) -> Fleet | None:
    """The fleet beside green with machines in service, while a deployment is going on.

    A failed deployment may have left a fleet that looks like it: blue is what the deployment group names, or
    what its last successful deployment made. After a rollback neither does; then it is the only one.
    """
    assert situation.going_on is not None
    green = situation.group.green(situation.going_on.id)
    others = [fleet for fleet in situation.fleets if fleet.group != green]
    named = [*situation.group.groups, situation.group.green(situation.group.last_successful)]
    known = [fleet for name in named for fleet in others if fleet.group == name]
    candidates = known[:1] or [fleet for fleet in others if _lives(fleet)]
    return candidates[0] if len(candidates) == 1 and _lives(candidates[0]) else None


def _lives(fleet: Fleet) -> bool:
    return not fleet.status and any(one.lifecycle == IN_SERVICE for one in fleet.instances)


def _stay(situation: Situation, serving: Release | None, releases: Sequence[Release]) -> Way:
    if situation.going_on is not None:
        return Way("stay", False, "a deployment is going on", "")
    if situation.serving is None:
        return Way("stay", False, "nothing serves", "")
    name = f"the release of commit {serving.commit[:8]}" if serving else "the first fleet"
    newest = releases[0].status if releases else "not there"
    reason = f"{name} serves, and the newest release is {newest}"
    return Way("stay", True, reason, "nothing: no machine and no traffic is touched", serving)


def _target(serving: Release | None, releases: Sequence[Release], to: str) -> Release | None:
    """The release asked for, or the newest good one before the one that serves."""
    good = [one for one in releases if one.status == "Succeeded" and one.image and not one.rolls_back_to]
    if to:
        named = next((one for one in good if one.execution_id == to), None)
        if named is None:
            known = ", ".join(one.execution_id for one in good) or "none"
            raise MisuseError("release_to", f"{to} is no release that succeeded", f"those that did: {known}")
        return named
    if serving is None:
        return good[0] if good else None
    older = releases[list(releases).index(serving) + 1 :]
    return next((one for one in good if one in older), None)


def _redeploy(
    situation: Situation, releases: Sequence[Release], lineage: Lineage, good: Release | None
) -> Way:
    def shut(reason: str) -> Way:
        return Way("redeploy", False, reason, "", good)

    if good is None:
        return shut("there is no good release before the one that serves")
    if situation.going_on is not None:
        return shut(f"deployment {situation.going_on.id} is going on")
    waiting = [one for one in releases if one.status in ("InProgress", "Stopping")]
    if waiting:
        return shut(f"release {waiting[0].execution_id[:8]} is going on: wait for it, or stop it")
    image = lineage.find(good.image)
    if image is None or image.state != "available":
        return shut(f"its image {good.image} is {image.state if image else 'not there any more'}")
    if revocation := lineage.revocation(good.image):
        return shut(f"its image {revocation.words}")
    fleet = situation.listed
    if fleet is None or not any(one.lifecycle == IN_SERVICE for one in fleet.instances):
        return shut("the deployment group names no fleet with a machine in service to copy")
    seconds = sum(action.seconds for action in good.actions if action.stage == DEPLOY)
    cost = (
        f"about {seconds:.0f} s, as its deployment took, with {fleet.desired} more machines meanwhile; "
        "no bake, no build"
    )
    return Way("redeploy", True, f"commit {good.commit[:8]} on {good.image}", cost, good)


def _retry(situation: Situation, releases: Sequence[Release]) -> Way:
    newest = releases[0] if releases else None
    failed = next((one for one in newest.actions if one.status == "Failed"), None) if newest else None
    if newest is None or failed is None or newest.status != "Failed":
        return Way("retry", False, "the newest release did not fail in a stage", "")
    if situation.going_on is not None:
        return Way("retry", False, f"deployment {situation.going_on.id} is going on", "")
    cost = f"as long as {failed.stage} and what follows take; the same cause makes it fail again"
    if failed.stage != BAKE and not newest.image:
        return Way("retry", False, f"{failed.stage} failed, and its image is not known", "")
    return Way("retry", True, f"{failed.stage} failed: {failed.error or failed.summary}", cost, newest)
