"""What to set up to run a recorded release again, and what of it can't be had, with the reason.

Pure: it reads a record and what the sandbox offers, and starts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gbg_lib import blueprint, faults
from gbg_lib.errors import MisuseError, ParameterError
from gbg_lib.parameters import Parameters, checked
from gbg_lib.record.archive import Archive
from gbg_lib.record.compare import packages
from gbg_lib.record.format import Evidence, RecordError, odd_is_refused
from gbg_lib.record.verify import verify
from gbg_lib.record.words import plain
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.sources import Commit, File, Source, former_source, source_of
from gbg_lib.rehearsal.timetable import Timetable, timetable
from gbg_lib.repository import AUTHOR, files_of
from gbg_lib.steps import TAKEN_OVER

BASE, PIPELINE = "base", "pipeline"
INTERVENTIONS = frozenset(
    {"StopDeployment", "StopPipelineExecution", "SetAlarmState", "TerminateInstances", "SetDesiredCapacity"}
    | {"TerminateInstanceInAutoScalingGroup", "PutRolePolicy", "DeleteRolePolicy", "DisableStageTransition"}
    | {"UpdateFunctionConfiguration", "UpdateFunctionConfiguration20150331v2", "PutApprovalResult"}
    | {"UpdateAutoScalingGroup", "ContinueDeployment", "DeleteObject", "RetryStageExecution"}
)
"""calls by which someone takes a hand in a release"""
SANDBOX_SCALE = 60.0
"""of the sandbox's waits, and so of its alarms' minutes, unless someone chose another"""


@dataclass(frozen=True)
class Unlike:
    """Something that the rehearsal does not have as it was."""

    what: str
    recorded: str
    rehearsed: str
    why: str


@dataclass(frozen=True)
class Offer:
    """What the sandbox has, as its command line knows it."""

    account: str
    region: str
    os_releases: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    record: str
    execution_id: str
    status: str
    """how the recorded release ended"""
    parameters: Parameters
    templates: Mapping[str, str]
    """of the stacks `base` and `pipeline`"""
    given: Mapping[str, Mapping[str, str]]
    """the stacks' parameters"""
    document: str
    """of the bake, in the version that ran; empty where the record has none"""
    source: Source
    former: Source | None
    """what served before; None for a first release"""
    likeness: Likeness
    packages: Mapping[str, str] = field(default_factory=dict)
    """of the image that is to be baked: name → version; empty where the record has no list"""
    timetable: Timetable = field(default_factory=dict)
    """when visitors came"""
    recorded_scale: float = 1.0
    """AWS seconds in a recorded second"""
    unlike: tuple[Unlike, ...] = ()
    fault: str = ""
    """planted on top, for a what-if"""
    changed: str = ""
    """the one input of a what-if, in words"""
    expected: tuple[str, ...] = ()
    """steps whose results differ by that change itself"""

    @property
    def again(self) -> bool:
        """Whether it brought the commit that served already: an image alone."""
        return self.former is not None and self.former.id == self.source.id


@odd_is_refused
def plan(archive: Archive, former: Archive | None, offer: Offer) -> Plan:
    """Raises RecordError for a record that was altered or lacks what a rehearsal needs, MisuseError."""
    _require_whole(archive)
    execution = archive.one("execution")
    if execution is None:
        raise _lacks(archive, "the execution itself")
    if execution.data.get("executionType") == "ROLLBACK" or execution.data.get("rollbackMetadata"):
        raise MisuseError(
            "rehearse",
            "this execution is a way back: it ran one stage of another release again",
            "rehearse the release that it went back to; its record names it",
        )
    parameters = _parameters(archive)
    templates = {part: _template(archive, part) for part in (BASE, PIPELINE)}
    stacks = archive.manifest.external.get("stacks", {})
    given = {part: {str(k): str(v) for k, v in stacks.get(part, {}).items()} for part in (BASE, PIPELINE)}
    source, before = source_of(archive), former_source(archive, former)
    unlike = [*_by_nature(archive, offer), *_of_sources(archive, source, before)]
    given[BASE], dropped = _base_parameters(given[BASE], offer)
    return Plan(
        archive.name,
        archive.manifest.execution_id,
        str(archive.manifest.summary.get("status", "?")),
        parameters,
        templates,
        given,
        document_of(archive),
        source,
        before or (_stand_in() if had_former(archive) else None),
        _likeness(archive, offer, given[BASE].get("OsRelease", "")),
        packages(archive),
        timetable(archive, fine=not on_aws(archive)),
        1.0 if on_aws(archive) else SANDBOX_SCALE,
        (*unlike, *dropped, *_of_people(archive), *_of_faults(archive)),
    )


def on_aws(archive: Archive) -> bool:
    """Whether the release ran on AWS: whoever recorded it knew."""
    return recorded_parameters(archive).get("cloud") == "aws"


def recorded_parameters(archive: Archive) -> Mapping[str, Any]:
    gathering = archive.one("gathering")
    told = gathering.data.get("parameters", {}) if gathering else {}
    return told if isinstance(told, Mapping) else {}


def document_of(archive: Archive) -> str:
    found = archive.one("document")
    return archive.text(found.file) if found and found.file else ""


def had_former(archive: Archive) -> bool:
    """Whether a release served before this one, told by the fleet that the bake's image was put on."""
    if archive.manifest.summary.get("former_commit"):
        return True
    groups = [one.data.get("AutoScalingGroupName", "") for one in archive.of("group")]
    outputs = [one.data.get("output", {}).get("outputVariables", {}) for one in archive.of("action")]
    groups += [told.get("AutoScalingGroupName", "") for told in outputs]
    own = [f"_{one.id.partition(':')[2]}" for one in archive.of("deployment")]
    return any(str(one).startswith("CodeDeploy_") and not str(one).endswith(tuple(own)) for one in groups)


def _require_whole(archive: Archive) -> None:
    found = verify(archive).findings
    if found:
        first = found[0]
        raise RecordError(
            archive.where,
            f"it is not what was recorded: {first.file}: {first.what}",
            "take another copy: the bucket keeps every version",
        )


def _lacks(archive: Archive, what: str) -> RecordError:
    return RecordError(
        archive.where, f"it lacks {what}, without which nothing can be set up", "record the release again"
    )


def _template(archive: Archive, part: str) -> str:
    """Compact, as CloudFormation's limit wants it; a record keeps it for people."""
    name = f"files/template-{part}.json"
    if name not in archive.names:
        raise _lacks(archive, name)
    try:
        found = json.loads(archive.text(name))
        found["Resources"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{archive.where}/{name}", "it is no template", "don't trust it") from error
    return json.dumps(found, separators=(",", ":"))


def _parameters(archive: Archive) -> Parameters:
    """For the steps: the names under which everything lies. Raises RecordError."""
    external = archive.manifest.external
    told = {name: value for name, value in recorded_parameters(archive).items() if name in KEPT}
    values = {
        **told,
        "deployment": external.get("deployment", ""),
        "branch": external.get("branch") or "main",
    }
    try:
        return checked(values, archive.where)
    except ParameterError as error:
        raise RecordError(
            archive.where, error.what, "the record was altered, or a newer gbg wrote it"
        ) from error


KEPT = ("release_minutes",)
"""parameters of the recorder that a rehearsal reads; the stacks' own come with the stacks"""


def _base_parameters(given: Mapping[str, str], offer: Offer) -> tuple[dict[str, str], list[Unlike]]:
    """What the sandbox can take of them; a repair's own are about machines that are gone."""
    kept = {name: value for name, value in given.items() if name not in TAKEN_OVER}
    unlike = [
        Unlike("the stack's own fleet", given[TAKEN_OVER[0]], "made anew", "runbook 07 had taken it over")
        for name in TAKEN_OVER[:1]
        if given.get(name)
    ]
    wanted = kept.get("OsRelease", "")
    if wanted and offer.os_releases and wanted not in offer.os_releases:
        kept["OsRelease"] = max(
            (one for one in offer.os_releases if one <= wanted), default=min(offer.os_releases)
        )
        unlike.append(
            Unlike("Amazon Linux release", wanted, kept["OsRelease"], "the sandbox's catalogue has no other")
        )
    return kept, unlike


def _by_nature(archive: Archive, offer: Offer) -> Iterator[Unlike]:
    internal = archive.manifest.internal
    account = str(internal.get("recorder", {}).get("account", ""))
    pairs = (("account", account, offer.account), ("Region", str(internal.get("region", "")), offer.region))
    for what, recorded, rehearsed in pairs:
        if recorded and recorded != rehearsed:
            yield Unlike(what, recorded, rehearsed, "a sandbox is an account of its own")
    yield Unlike("people", _who(archive), "nobody", "only the release itself is repeated")
    yield Unlike(
        "ids, times, addresses", "as recorded", "others", "AWS draws them anew; they are left out of account"
    )
    if on_aws(archive):
        yield Unlike(
            "what AWS's tools print",
            "dnf, Maven, agents and services of AWS",
            "the sandbox's",
            "left out of account; statuses, codes and what the application's own scripts said last count",
        )


def _who(archive: Archive) -> str:
    execution = archive.one("execution")
    told = (execution.data.get("trigger", {}) if execution else {}).get("triggerDetail", "")
    return f"set going by {plain(str(told).rpartition('/')[2], 60) or '?'}"


def _of_sources(archive: Archive, source: Source, before: Source | None) -> Iterator[Unlike]:
    if source.masked:
        yield Unlike("files with secrets", ", ".join(source.masked), "masked", "no record keeps a secret")
    if before is None and had_former(archive):
        why = "neither this record nor one beside it has its source"
        yield Unlike("what served before", "another commit", "the sample application", why)
    if len(source.commits) > 1:
        number = len(source.commits) - 1
        why = "a record keeps the files of the last commit only"
        yield Unlike("files of commits in between", f"{number} commits", "those of the one before", why)


def _stand_in() -> Source:
    files = {
        name: File(path.read_bytes(), 0o755 if path.stat().st_mode & 0o111 else 0o644)
        for name in files_of(Path(blueprint.APPLICATION))
        for path in [Path(blueprint.APPLICATION) / name]
    }
    who = (*AUTHOR, "0 +0000")
    return Source(files, (Commit("", "What served before is not known: the sample application", who, who),))


def _of_people(archive: Archive) -> Iterator[Unlike]:
    """Calls by which someone took a hand; CloudTrail names the roles of the deployment by its own names."""
    own = f"/{archive.manifest.external.get('deployment', '')}-"
    execution = archive.one("execution")
    for one in archive.of("api.call"):
        during = execution and one.at and execution.at and one.at >= execution.at
        if one.data.get("EventName") in INTERVENTIONS and during and not _by_itself(one, own):
            who = plain(one.data.get("Username", "?"), 60)
            yield Unlike("an act of someone", f"{one.data['EventName']} by {who}", "not repeated", HAND)


def _by_itself(one: Evidence, own: str) -> bool:
    """Whether a service or a role of the deployment called; services act under roles of their own, too."""
    identity = one.data.get("event", {}).get("userIdentity", {})
    arn = str(identity.get("arn", ""))
    service = identity.get("type") == "AWSService" or "invokedBy" in identity
    return service or own in arn or "/AWSServiceRole" in arn


HAND = "it was no part of the release; `--what-if fault=` plants one like it"


def _of_faults(archive: Archive) -> Iterator[Unlike]:
    """A planted fault is written down in the account; what a commit brought comes with the commit."""
    name = str(archive.manifest.external.get("deployment", ""))
    for one in archive.of("parameter"):
        if one.data.get("Name") == f"/{name}/fault":
            told = json.loads(str(one.data.get("Value", "{}")))
            fault = faults.CATALOGUE.get(str(told.get("name", "")))
            if fault is not None and not fault.pushes:
                why = f"it lay in the account; `--what-if fault={fault.name}` plants it again"
                yield Unlike("a planted fault", fault.name, "not planted", why)


def _likeness(archive: Archive, offer: Offer, os_release: str) -> Likeness:
    """Regions stand in names of buckets, topics and addresses; another release has other packages."""
    names = dict.fromkeys({str(archive.manifest.internal.get("region", "")), offer.region} - {""}, "<region>")
    wanted = str(archive.manifest.external.get("stacks", {}).get(BASE, {}).get("OsRelease", ""))
    other = wanted != os_release
    if other:
        names |= {wanted: "<release>", os_release: "<release>"}
    return Likeness(not on_aws(archive) and not other, names)
