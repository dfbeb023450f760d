"""What served before this release: its source, so that this record alone is enough to rehearse it."""

from __future__ import annotations

import io
import zipfile

from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources.pipeline import MOST_MEMBER_BYTES, fetched, masked_zip, source_place


def archive(subject: Subject, found: Gathering) -> None:
    """Only the files that differ from the new source are kept; all of them are named with their digests."""
    if not subject.former_execution:
        return
    actions = subject.aws.pages(
        "codepipeline",
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=subject.pipeline,
        filter={"pipelineExecutionId": subject.former_execution},
    )
    place = source_place(list(actions))
    if place is None:
        return
    told, content = fetched(subject, place)
    now = next((found.files[one.file] for one in found.of("source") if one.file), b"")
    kept, masked = masked_zip(_differing(content, now), found)
    file = found.keep("source-former.zip", kept)
    found.files[file] = kept  # masked by its members: a zip's bytes show no text
    data = {**told, "execution": subject.former_execution, "commit": subject.former_commit, "masked": masked}
    found.add("source.former", "", "s3:get_object", data, file=file)


def _differing(content: bytes, now: bytes) -> bytes:
    """The members that are not in `now` with the same content and mode."""
    there = _members(now) if now else {}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, (info, data) in _members(content).items():
            known = there.get(name)
            if known is None or (known[0].external_attr, known[1]) != (info.external_attr, data):
                made.writestr(info, data)
    return target.getvalue()


def _members(content: bytes) -> dict[str, tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        infos = [
            info for info in file.infolist() if not info.is_dir() and info.file_size <= MOST_MEMBER_BYTES
        ]
        return {info.filename: (info, file.read(info)) for info in infos}
