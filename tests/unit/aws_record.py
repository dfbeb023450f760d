"""A record as it would come from AWS, made from one of the sandbox by a transformation that is all below.

There is no AWS here. What differs there by nature is put in: account and Region, image ids, names of people,
what dnf, Java and agents print, package versions and packages that no sandbox has, a minute's resolution of
the load balancer's counts, and times as AWS takes them. What is a release's own stays as it was: templates,
parameters, document, source, statuses, error codes, what the application's scripts said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, dumps, read_lines
from gbg_lib.record.manifest import Manifest
from gbg_lib.record.store import Store

ACCOUNT, REGION = "210987654321", "eu-central-1"
SLOWER = 30
"""AWS takes minutes for what the sandbox does in seconds"""
NAMES = {
    "123456789012": ACCOUNT,
    "us-east-1": REGION,
    "ami-0e93a288ce76957d1": "ami-0a5c3558529277641",
    "ec2.internal": f"{REGION}.compute.internal",
    "user/operator": "assumed-role/Release/anna",
    '"operator"': '"anna"',
    "Debian": "Amazon_Linux",
}
SITE = re.compile(r"http://localhost:(?!8080)\d+/")
"""the load balancer; 8080 is Tomcat on its own machine"""
SITE_ON_AWS = f"http://gbg-1234567890.{REGION}.elb.amazonaws.com/"
LACKING = ("amazon-rpm-config-228-3.amzn2023.0.2.noarch", "awscli-2-2.30.4-1.amzn2023.0.1.noarch")
"""packages that the sandbox's catalogue has not"""
NEWER = {"17.0.20+8-1.amzn2023.1": "17.0.21+9-1.amzn2023.1", "3.3.4121.0-1": "3.3.4300.0-1"}
"""versions as AWS's mirror may have them, for the same release of Amazon Linux"""
JAVA = (
    '[stderr]openjdk version "17.0.21" 2026-10-20 LTS\n'
    "[stderr]OpenJDK Runtime Environment Corretto-17.0.21.9.1 (build 17.0.21+9-LTS)"
)
FINGERPRINT = ("999ed2e3e25d94f3", "0123456789abcdef")


def as_on_aws(archive: Archive, folder: Path) -> Path:
    """Its path in a store of its own below `folder`."""
    texts = {name: _told(archive.text(name)) for name in archive.names if name.startswith("files/")}
    zips = {name: archive.read(name) for name in archive.names if name.endswith(".zip")}
    files = {name: text.encode() for name, text in texts.items()} | zips
    start = archive.of("execution")[0].at
    assert start is not None
    lines = _told(archive.read("evidence.jsonl").decode()).encode()
    told = list(read_lines(lines, "as on AWS"))
    evidence = [_evidence(by_minute(one, told), start) for one in told]
    return Store(folder, "gbg").write(_manifest(archive), evidence, files)


def _told(text: str) -> str:
    for old, new in {**NAMES, **NEWER, FINGERPRINT[0]: FINGERPRINT[1]}.items():
        text = text.replace(old, new)
    return SITE.sub(SITE_ON_AWS, text)


def _manifest(archive: Archive) -> Manifest:
    old = archive.manifest
    parts = {name: json.loads(_told(dumps(dict(getattr(old, name))))) for name in ("external", "summary")}
    recorder = {"account": ACCOUNT, "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Release/anna"}
    internal = {"region": REGION, "recorder": recorder}
    return replace(old, internal=internal, builder=_told(old.builder), former=None, files={}, **parts)


def _evidence(one: Evidence, start: datetime) -> Evidence:
    change = CHANGES.get(one.kind, _as_it_is)
    return replace(one, data=change(dict(one.data)), at=_later(one.at, start), until=_later(one.until, start))


def _later(at: datetime | None, start: datetime) -> datetime | None:
    return start + (at - start) * SLOWER if at else None


def _as_it_is(data: dict[str, Any]) -> dict[str, Any]:
    return data


def _gathering(data: dict[str, Any]) -> dict[str, Any]:
    given: Mapping[str, Any] = data["parameters"]
    return {**data, "parameters": {**given, "cloud": "aws", "region": REGION, "profile": "release"}}


def _packages(data: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted([*listed, *LACKING]) for name, listed in data.items()}


def _step(data: dict[str, Any]) -> dict[str, Any]:
    """Commands print other words; answers come in the API's own form."""
    data.pop("Response", None)
    outputs = data.get("Outputs", {})
    if isinstance(outputs, str):
        outputs = json.loads(outputs)
    if "Output" in outputs:
        outputs = {
            **outputs,
            "Output": ["Amazon Linux 2023 Kernel Livepatch repository   123 kB/s\nComplete!\n"],
        }
    return {**data, "Outputs": outputs}


def _event(data: dict[str, Any]) -> dict[str, Any]:
    told = data.get("diagnostics")
    if told and told.get("logTail"):
        log = re.sub(r"\[stderr\]openjdk version .*\n\[stderr\]OpenJDK Runtime .*", JAVA, told["logTail"])
        data["diagnostics"] = {**told, "logTail": log}
    return data


TOGETHER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "p50": max,
    "p99": max,
}


def by_minute(one: Evidence, told: Sequence[Evidence]) -> Evidence:
    """A load balancer's counts as CloudWatch has them there, from those by the second where there are any."""
    fine = next((other for other in told if other.data.get("period") == 1 and _same(one, other)), None)
    if fine is None:
        return one
    minutes: dict[int, list[float]] = {}
    for second, value in zip(fine.data["seconds"], fine.data["values"], strict=True):
        minutes.setdefault(second * SLOWER // 60 * 60, []).append(value)
    counted = [TOGETHER[one.data["statistic"]](values) for values in minutes.values()]
    data = {**one.data, "resolution": 60, "seconds": list(minutes), "values": counted}
    return replace(one, data=data, at=fine.at, until=fine.until)


def _same(one: Evidence, other: Evidence) -> bool:
    return one.kind == "traffic" and all(one.data[key] == other.data[key] for key in ("metric", "statistic"))


CHANGES = {
    "gathering": _gathering,
    "packages": _packages,
    "bake.step": _step,
    "machine.event": _event,
}
