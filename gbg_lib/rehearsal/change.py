"""The one input of a release that a what-if changes: the application, the image, a parameter, or a fault.

    app=<commit>      the application of another recorded commit, on the recorded image
    image=<record>    the recorded application on the image of another release: its release of Amazon Linux,
                      the image it was made from, and its bake's document
    <name>=<value>    a parameter of the stacks, under our name or the template's
    fault=<fault>     one of the faults that drills are made of, planted on top

Whatever is not known is refused before anything is started, with the nearest name that is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from gbg_lib import faults
from gbg_lib.errors import MisuseError
from gbg_lib.parameters import BASE as BASE_RUNBOOK
from gbg_lib.parameters import Parameters, names_for, parse_assignments
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.compare import packages
from gbg_lib.record.words import plain
from gbg_lib.rehearsal.library import Shelved
from gbg_lib.rehearsal.plan import BASE, Offer, Plan, document_of
from gbg_lib.rehearsal.sources import source_of
from gbg_lib.steps import NOT_FOR_TEMPLATES

APP, IMAGE, FAULT = "app", "image", "fault"
OF_IMAGES = ("OsRelease", "SourceAmiParameter")
SYSTEM_RELEASE = "system-release.noarch"
"""the package that says which release of Amazon Linux it is; a stack may have moved on since"""
COUNTS = {"FleetSize": 1, "FleetMinSize": 1, "FleetMaxSize": 2}
"""what `instance_count` is for the template"""
FIXED = frozenset({"Deployment"})
"""names everything; another one changes no release"""
COMMIT = "pipeline: Source/Source"
"""the step that tells which commit it is"""
SHORTEST = 4
"""characters of a commit or record that are enough to mean one"""


def changed(plan: Plan, word: str, shelf: Sequence[Shelved], offer: Offer) -> Plan:
    """The plan with exactly one input changed. Raises MisuseError, ParameterError, RecordError."""
    name, equals, value = word.partition("=")
    if not equals or not value:
        raise MisuseError(WHERE, f"{word!r} changes nothing", f"{APP}=, {IMAGE}=, {FAULT}= or a parameter=")
    if name == APP:
        return _app(plan, value, shelf)
    if name == IMAGE:
        return _image(plan, value, shelf, offer)
    if name == FAULT:
        return _fault(plan, value)
    return _parameter(plan, name, value, offer)


WHERE = "--what-if"


def _app(plan: Plan, commit: str, shelf: Sequence[Shelved]) -> Plan:
    known = {str(one.summary.get("commit", "")): one for one in reversed(shelf) if one.summary.get("commit")}
    found = _meant(commit, known)
    if found is None:
        told = {one: plain(shelved.summary.get("message", ""), 50) for one, shelved in known.items()}
        raise _unknown("no record at hand has the source of", commit, told)
    if found == plan.source.id:
        raise _nothing(f"{found[:8]} is the commit that was released")
    archive = open_archive(known[found].path)
    source = source_of(archive)
    message = plain(archive.manifest.summary.get("message", ""), 60)
    single = replace(source, commits=source.commits[-1:])
    words = f"the application: commit {found[:8]}, {message}"
    return replace(plan, source=single, changed=words, expected=(COMMIT,))


def _image(plan: Plan, record: str, shelf: Sequence[Shelved], offer: Offer) -> Plan:
    archive = _record(record, shelf)
    told = archive.manifest.external.get("stacks", {}).get(BASE, {})
    given = {**plan.given[BASE], **{name: str(told[name]) for name in OF_IMAGES if name in told}}
    _require_offered(given["OsRelease"], offer)
    document = document_of(archive)
    if given == plan.given[BASE] and plan.likeness.text(document) == plan.likeness.text(plan.document):
        raise _nothing(f"the image of {archive.name} was made from the same inputs")
    baked = packages(archive)
    release = baked.get(SYSTEM_RELEASE, "").partition("-")[0] or given["OsRelease"]
    changed_words = f"the image: as {archive.name} baked it, on {release}"
    stacks = {**plan.given, BASE: given}
    return replace(plan, given=stacks, document=document, packages=baked, changed=changed_words)


def _record(word: str, shelf: Sequence[Shelved]) -> Archive:
    """By name, execution id or the beginning of one, or by path. Raises MisuseError, RecordError."""
    known = {key: one for one in shelf for key in (one.record, str(one.summary.get("execution", "")))}
    found = _meant(word, known)
    if found is not None:
        return open_archive(known[found].path)
    if Path(word).exists():
        return open_archive(Path(word))
    told = {one.record: plain(one.summary.get("message", ""), 50) for one in shelf}
    raise _unknown("there is no record", word, told)


def _fault(plan: Plan, name: str) -> Plan:
    if name not in faults.CATALOGUE:
        raise _unknown("there is no fault", name, {one.name: one.what for one in faults.CATALOGUE.values()})
    fault = faults.CATALOGUE[name]
    expected = (COMMIT,) if fault.pushes else ()
    return replace(plan, fault=name, changed=f"a fault: {fault.what}", expected=expected)


def _parameter(plan: Plan, name: str, value: str, offer: Offer) -> Plan:
    given = plan.given[BASE]
    ours = {one: tuple(_keys(one)) for one in names_for(BASE_RUNBOOK) if one not in NOT_FOR_TEMPLATES}
    known = {one: keys for one, keys in ours.items() if set(keys) <= given.keys() - FIXED}
    if name in known:
        parse_assignments([f"{name}={value}"])
        new = {key: str(int(value) * COUNTS[key]) if key in COUNTS else value for key in known[name]}
    elif name in given and name not in FIXED:
        new = {name: value}
    else:
        told = {one: Parameters.model_fields[one].description or "" for one in known}
        told |= {one: f"of Part 1's template, was {given[one]}" for one in given if one not in FIXED}
        raise _unknown("no input of the recorded release is called", name, told)
    if "OsRelease" in new:
        _require_offered(value, offer)
    if new.items() <= given.items():
        raise _nothing(f"{name} was {value}")
    before = ", ".join(sorted({given[key] for key in list(new)[:1]}))
    changed_words = f"a parameter: {name} {value} instead of {before}"
    return replace(plan, given={**plan.given, BASE: {**given, **new}}, changed=changed_words)


def _keys(name: str) -> Iterable[str]:
    """A parameter's names in the template."""
    return COUNTS if name == "instance_count" else ["".join(word.title() for word in name.split("_"))]


def _require_offered(os_release: str, offer: Offer) -> None:
    if os_release not in offer.os_releases:
        near = difflib.get_close_matches(os_release, offer.os_releases, n=1, cutoff=0.0)
        raise MisuseError(
            WHERE,
            f"the sandbox's catalogue has no Amazon Linux {os_release}",
            f"did you mean {near[0]}? There are {', '.join(offer.os_releases)}",
        )


def _meant(word: str, known: Iterable[str]) -> str | None:
    """The one that it is or begins. Raises MisuseError where it begins several."""
    found = [one for one in known if one == word]
    found = found or [one for one in known if len(word) >= SHORTEST and one.startswith(word)]
    if len(found) > 1:
        raise MisuseError(WHERE, f"{word} begins {', '.join(found)}", "write more of it")
    return found[0] if found else None


def _unknown(what: str, word: str, known: dict[str, str]) -> MisuseError:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    if not near:
        return MisuseError(WHERE, f"{what} {plain(word, 80)!r}", "no record at hand has one")
    return MisuseError(WHERE, f"{what} {plain(word, 80)!r}", f"did you mean {near[0]}? {known[near[0]]}")


def _nothing(why: str) -> MisuseError:
    return MisuseError(
        WHERE, f"{why}: nothing would be changed", "`gbg rehearse` without --what-if repeats it"
    )
