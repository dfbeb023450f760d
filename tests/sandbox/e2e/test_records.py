"""All releases of the shared deployment, good and failed ones, are recorded, here and in the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.record import failure
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.bucket import Bucket, parse_address
from gbg_lib.record.format import line
from gbg_lib.record.recorder import Recorded, Recorder
from gbg_lib.record.store import Store
from gbg_lib.record.verify import verify, verify_all
from gbg_lib.steps import ReleaseRun
from tests.sandbox.e2e.world import Deployment

SECRET = "a-secret-that-nobody-may-read"
PER_CALL = 4
"""pieces of evidence that a call brings at least"""


@pytest.fixture(scope="module")
def recorder(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return Recorder(deployment.run, tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def recorded(deployment: Deployment, recorder: Recorder) -> list[Recorded]:
    parameter = f"/{deployment.name}/database"
    deployment.aws.call("ssm", "put_parameter", Name=parameter, Type="SecureString", Value=SECRET)
    try:
        return list(recorder.record_all())
    finally:
        deployment.aws.call("ssm", "delete_parameter", Name=parameter)


def record_of(recorded: list[Recorded], execution_id: str) -> Archive:
    [found] = [one for one in recorded if one.path.name.endswith(execution_id)]
    return open_archive(found.path)


def test_every_release_has_a_record_and_the_chain_is_whole(
    deployment: Deployment, recorder: Recorder, recorded: list[Recorded]
) -> None:
    over = [one for one in deployment.run.pipeline.executions() if one.over]
    assert {one.action for one in recorded} == {"written"}
    assert len(recorded) == len(over) > 0
    verified, findings = verify_all(recorder.store.folders(), recorder.store.entries()[-1].link)
    assert findings == []
    assert len(verified) == len(over)


def test_a_good_release_tells_all_its_parts(deployment: Deployment, recorded: list[Recorded]) -> None:
    release = deployment.releases[0]
    archive = record_of(recorded, release.execution_id)
    assert archive.manifest.summary["status"] == "Succeeded"
    assert archive.manifest.external["commit"] == release.commit
    kinds = set(archive.by_kind)
    assert kinds >= {"execution", "action", "bake", "bake.step", "packages", "image", "commit", "source"}
    assert kinds >= {"build", "build.phase", "artifact", "deployment", "machine", "machine.event", "group"}
    assert kinds >= {"scaling.activity", "template.version", "target.health", "traffic", "alarm", "api.call"}
    assert kinds >= {"stack", "parameter", "document", "log", "gathering"}
    machines = {one.data["side"] for one in archive.of("machine.event")}
    assert {side.upper() for side in machines} == {"BLUE", "GREEN"}
    assert "BUILD SUCCESS" in archive.text(archive.of("build")[0].file)
    found = failure.first_failure(archive)
    assert found is None or found.where.startswith("alarm "), found


def test_it_takes_far_fewer_calls_than_pieces(recorded: list[Recorded]) -> None:
    for one in recorded:
        if open_archive(one.path).of("machine.event"):
            assert one.calls * PER_CALL < one.pieces, one


def test_no_secret_is_in_any_file(recorder: Recorder, recorded: list[Recorded]) -> None:
    keys = recorder.aws.keys()
    hidden = list(filter(None, (SECRET, keys.secret_key, keys.token)))
    for one in recorded:
        for path in one.path.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert not any(secret.encode() in content for secret in hidden), path


def test_a_failed_release_names_its_first_failure(deployment: Deployment, recorded: list[Recorded]) -> None:
    failed = [one for one in deployment.run.pipeline.executions() if one.status == "Failed"]
    if not failed:
        pytest.skip("no release of this deployment failed: test_failures was left out")
    for execution in failed:
        found = failure.first_failure(record_of(recorded, execution.id))
        assert found is not None
        assert found.where


def test_recording_again_writes_nothing_twice(recorder: Recorder, recorded: list[Recorded]) -> None:
    before = {path: path.read_bytes() for one in recorded for path in one.path.rglob("*") if path.is_file()}
    again = list(recorder.record_all())
    assert {one.action for one in again} <= {"nothing", "added"}
    assert {path: path.read_bytes() for path in before} == before
    for one in again:
        lines = [line(told) for told in open_archive(one.path).history]
        assert len(set(lines)) == len(lines), "what is known is no late evidence"
    assert verify_all(recorder.store.folders(), recorder.store.entries()[-1].link)[1] == []


class LateTrail:
    """The deployment's own session, whose CloudTrail tells nothing before `arrived`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.arrived = False

    def client(self, service: str, **more: Any) -> Any:
        return self if service == "cloudtrail" and not self.arrived else self._session.client(service, **more)

    def can_paginate(self, operation: str) -> bool:
        return False

    def lookup_events(self, **_: Any) -> dict[str, Any]:
        return {"Events": []}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def test_evidence_that_comes_late_is_added_behind_what_was_written(
    deployment: Deployment, tmp_path: Path
) -> None:
    session = LateTrail(deployment.aws.session)

    def recorder() -> Recorder:
        aws = Aws(session, poll_seconds=0.25, endpoint_url=deployment.aws.endpoint_url)
        made = Recorder(ReleaseRun(deployment.run.parameters, aws), tmp_path)
        made.bucket.name = ""  # the others' chain is not this one
        return made

    execution = deployment.releases[0].execution_id
    first = recorder().record(execution)
    assert first.action == "written" and not open_archive(first.path).of("api.call")
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    session.arrived = True
    again = recorder()
    added = again.record(execution)
    assert (added.action, added.reason) == ("added", "late evidence")
    archive = open_archive(added.path)
    assert archive.of("api.call")
    assert archive.manifests[1].former == archive.manifests[0].link(
        "manifest.json", archive.read("manifest.json")
    )
    assert {path: path.read_bytes() for path in before} == before
    assert verify_all(again.store.folders(), again.store.entries()[-1].link)[1] == []


def test_a_fleet_that_nobody_watched_is_taken_from_the_release_before(
    deployment: Deployment, recorder: Recorder, recorded: list[Recorded]
) -> None:
    """Or it is said that nobody knows it."""
    for one in recorded:
        archive = open_archive(one.path)
        before = [seen for seen in archive.of("group") if seen.data["moment"] == "before"]
        lost = {seen.data["what"] for seen in archive.of("missing")}
        assert bool(before) != ("fleet before" in lost)


def test_the_bucket_holds_the_same_and_another_machine_goes_on_with_the_chain(
    deployment: Deployment, recorder: Recorder, recorded: list[Recorded], tmp_path: Path
) -> None:
    name, prefix, record = parse_address(recorded[0].address)
    other = Store(tmp_path, deployment.name)
    bucket = Bucket(deployment.aws, name, deployment.name)
    bucket.fetch_index(other)
    assert other.entries() == recorder.store.entries()
    fetched = bucket.download(f"{prefix}/{record}/", tmp_path / record)
    assert verify(open_archive(fetched)).findings == ()
    assert open_archive(fetched).evidence == open_archive(recorded[0].path).evidence
    again = Recorder(deployment.run, tmp_path / "elsewhere").record(record.partition("-")[2])
    assert again.action in ("nothing", "added")


def test_the_records_bucket_is_versioned_encrypted_and_private(deployment: Deployment) -> None:
    bucket = deployment.run.base["RecordsBucketName"]
    aws = deployment.aws
    assert aws.call("s3", "get_bucket_versioning", Bucket=bucket)["Status"] == "Enabled"
    assert aws.call("s3", "get_bucket_encryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]
    shut = aws.call("s3", "get_public_access_block", Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(shut.values())
