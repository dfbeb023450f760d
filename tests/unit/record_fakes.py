"""Records to be read, altered and attacked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gbg_lib.record.format import Evidence, record_name, stamp
from gbg_lib.record.manifest import Manifest
from gbg_lib.record.store import Store

BEGIN = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
SECONDS = 300.0


def execution(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def summary(number: int, **changed: Any) -> dict[str, Any]:
    """Of a release that starts `number` hours after the first."""
    started = BEGIN + timedelta(hours=number)
    told = {
        "execution": execution(number),
        "deployment": "gbg",
        "status": "Succeeded",
        "trigger": "CloudWatchEvent",
        "started": stamp(started),
        "finished": stamp(started + timedelta(seconds=SECONDS)),
        "commit": f"{number:040x}",
        "former_commit": f"{number - 1:040x}" if number else "",
        "committed": stamp(started - timedelta(seconds=60)),
        "message": f"Change {number}",
        "image": f"ami-{number:017x}",
        "os_release": "2023.12.20260710",
        "packages": "999ed2e3e25d94f3",
        "deployments": [f"d-{number:09d}"],
        "stages": {"Source": 1.0, "BuildGoldenAMI": 120.0, "Build": 60.0, "Deploy": 119.0},
        "failed": {},
        "machines": 4,
        "missing": 0,
        "pieces": 200,
        "settled": True,
    }
    return told | changed


def manifest(number: int, **changed: Any) -> Manifest:
    started = BEGIN + timedelta(hours=number)
    return Manifest(
        record=record_name(started, execution(number)),
        sequence=0,
        former=None,
        files={},
        written=started + timedelta(seconds=SECONDS),
        builder="arn:aws:codepipeline:us-east-1:123456789012:gbg-release",
        execution_id=execution(number),
        started=started,
        finished=started + timedelta(seconds=SECONDS),
        external={"deployment": "gbg"},
        summary=summary(number, **changed),
    )


def evidence(number: int = 0, *more: Evidence) -> list[Evidence]:
    told = {"status": "Succeeded", "pipelineExecutionId": execution(number)}
    source = "codepipeline:get_pipeline_execution"
    return [Evidence("execution", "execution", source, told, BEGIN, BEGIN + timedelta(minutes=5)), *more]


def store(folder: Path, records: int = 1, files: Mapping[str, bytes] | None = None) -> Store:
    """With so many records, an hour apart."""
    made = Store(folder, "gbg")
    kept = {"files/build.log": b"[INFO] BUILD SUCCESS\n"} if files is None else files
    for number in range(records):
        made.write(manifest(number), evidence(number), kept)
    return made
