"""Whether all that has a say in what serves says the same.

Launch template version, golden AMI parameter, deployment group, load balancer, machines, alarms and page have
to tell of one whole release. A deployment that is going on makes some of them differ for a while, which is no
fault: ask before or after, not meanwhile.
"""

from __future__ import annotations

from gbg_lib.alarms_of_fleets import dead_alarms
from gbg_lib.checks import Check
from gbg_lib.images import GoldenImage
from gbg_lib.way_back.situation import Alarm, Situation

BAKED_BY_HAND = "none"
"""the commit of an image that no release asked for"""
SHA = 40
MEND = "runbook 05 brings them together; runbook 07 shows what else differs"
PIN = "pin the group to a numbered version of Part 1's template"


ALARMS = (
    "runbook 05 puts it on the fleet that serves (way_back: stay); one that acts on a scaling policy of the "
    "group that is gone is to be made anew, or deleted: `aws cloudwatch delete-alarms`"
)


def consistency(situation: Situation, images: list[GoldenImage]) -> list[Check]:
    """All checks, passed or not. `images` are the deployment's golden images."""
    return [*releasable(situation), *agreement(situation, images)]


def releasable(situation: Situation) -> list[Check]:
    """What the next release counts on: a fleet that CodeDeploy can copy, and alarms that watch it."""
    return [
        _deployment_group(situation),
        _load_balancer(situation),
        _launch_template(situation),
        _alarms(situation),
    ]


def agreement(situation: Situation, images: list[GoldenImage]) -> list[Check]:
    """Whether what serves is one whole release, and every note of it says so."""
    return [
        _machines(situation),
        _golden_image(situation),
        _page(situation, images),
        _dead_groups(situation),
    ]


def _deployment_group(situation: Situation) -> Check:
    names, fleet, serving = situation.group.groups, situation.listed, situation.serving
    found = f"{situation.group.name} names {', '.join(names) or 'no Auto Scaling group'}"
    passed = fleet is not None and not fleet.status and serving is not None and fleet == serving
    if len(names) == 1 and fleet is None:
        found += ", which is not there"
    elif fleet is not None and fleet.status:
        found += f": {fleet.status}"
    elif not passed:
        found += f"; {serving.group if serving else 'no fleet'} serves"
    return Check("deployment group", passed, found, MEND)


def _load_balancer(situation: Situation) -> Check:
    fleet = situation.listed
    elsewhere = [one.group for one in situation.fleets if one.serving and one is not fleet]
    attached = fleet is not None and situation.target_group in fleet.target_groups
    found = f"{fleet.serving} of {fleet.desired} machines of {fleet.group} serve" if fleet else "no fleet"
    if fleet and not attached:
        found += "; the group is not attached to the target group"
    if elsewhere:
        found += f"; so do machines of {', '.join(elsewhere)}"
    serves = fleet is not None and fleet.serving > 0
    coming = attached and not serves and not elsewhere and fleet is not None and fleet.desired > 0
    look = "the machines' target health, until they serve" if coming else MEND
    return Check("load balancer", serves and attached and not elsewhere, found, look, pending=coming)


def _launch_template(situation: Situation) -> Check:
    fleet = situation.listed
    if fleet is None:
        return Check("launch template", False, "there is no fleet to pin", MEND)
    image = situation.image(fleet)
    found = f"{fleet.group} is pinned to version {fleet.template_version}: {image}"
    if not image:
        version = fleet.template_version or "no number"
        found = f"{fleet.group} is on version {version} of {fleet.template or 'no template'}"
    return Check("launch template", bool(image), found, PIN)


def _alarms(situation: Situation) -> Check:
    group = situation.group
    there = {alarm.name: alarm for alarm in situation.alarms}
    wrong = [f"{name} is not there" for name in group.alarms if name not in there]
    wrong += [
        f"{name} is about another load balancer"
        for name in group.alarms
        if name in there and not _about(there[name], situation)
    ]
    if not group.watches_alarms or not group.alarms:
        wrong.append(f"{group.name} watches no alarm")
    found = "; ".join(wrong) or f"{group.name} watches {', '.join(group.alarms)}"
    return Check("alarms", not wrong, found, "apply runbook 01 again: the alarms are Part 1's")


def _about(alarm: Alarm, situation: Situation) -> bool:
    """ARNs of load balancers and target groups end with what CloudWatch calls them by."""
    called = [alarm.dimensions.get(name, "") for name in ("TargetGroup", "LoadBalancer")]
    arns = (situation.target_group, situation.load_balancer)
    return any(name and arn.endswith(name) for name in called for arn in arns)


def _machines(situation: Situation) -> Check:
    fleet = situation.listed
    if fleet is None:
        return Check("machines", False, "there is no fleet", MEND)
    wanted = (situation.image(fleet), fleet.template_version)
    other = sorted(one.id for one in fleet.instances if (one.image, one.template_version) != wanted)
    images = ", ".join(sorted({one.image for one in fleet.instances})) or "nothing"
    found = f"they run {images}; the next one would run {wanted[0] or 'an unknown image'}"
    return Check("machines", bool(fleet.instances) and not other, found, MEND)


def _golden_image(situation: Situation) -> Check:
    fleet = situation.listed
    image = situation.image(fleet) if fleet else ""
    found = f"the parameter names {situation.golden_image}, the fleet's version {image or 'nothing'}"
    return Check("golden AMI parameter", bool(image) and image == situation.golden_image, found, MEND)


def _page(situation: Situation, images: list[GoldenImage]) -> Check:
    """Application and image of one release: the page's commit is the one that the image was baked for."""
    facts, fleet = situation.page.facts, situation.listed
    serving = situation.image(fleet) if fleet else ""
    commit = next((one.tags.get("gbg:commit", "") for one in images if one.id == serving), "")
    commit = "" if commit == BAKED_BY_HAND else commit
    found = f"{situation.page.url} answers {situation.page.status}"
    if facts:
        told = facts.get("commit", "?")
        told = told[:8] if len(told) == SHA else told
        found += f" with commit {told} on {facts.get('image', 'its first image')}"
    if commit:
        found += f"; {serving} was baked for commit {commit[:8]}"
    passed = situation.page.status == 200 and _same(facts, serving, commit)
    return Check("one whole release", passed, found, MEND)


def _same(facts: dict[str, str], image: str, commit: str) -> bool:
    """A page that tells neither commit nor image contradicts nothing."""
    image_agrees = facts.get("image", image) == image
    return image_agrees and (not commit or facts.get("commit", commit) == commit)


def _dead_groups(situation: Situation) -> Check:
    dead = [f"{alarm} ({group})" for alarm, group in dead_alarms(situation).items()]
    found = f"about a group that is gone: {', '.join(dead)}" if dead else "every alarm is about what is there"
    return Check("no orphaned alarm", not dead, found, ALARMS)
