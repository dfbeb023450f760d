"""UPLOAD_ARTIFACTS: which files belong to which artifact, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from gbg_sandbox.services.codebuild.build_log import BuildLog
from gbg_sandbox.services.codebuild.buildspec import ArtifactSpec
from gbg_sandbox.services.codebuild.container import Container
from gbg_sandbox.services.codebuild.inside.collect import NO_BASE, NO_FILES
from gbg_sandbox.services.codebuild.state import Build, Output, PhaseFailed
from gbg_sandbox.services.codebuild.transfer import Transfer


def deliver(
    build: Build, specs: Sequence[ArtifactSpec], container: Container, transfer: Transfer, log: BuildLog
) -> None:
    """Upload each output of the build. Raises PhaseFailed."""
    for output in build.outputs:
        if output.type == "NO_ARTIFACTS":
            continue
        spec = _spec_of(output, specs, alone=len(build.outputs) == 1)
        if spec is None:
            log.say("No artifact files specified")
            continue
        archive = _collect(container, spec)
        try:
            told = transfer.upload(output, archive, build.settings["encryptionKey"])
        except ClientError as error:
            raise PhaseFailed("CLIENT_ERROR", f"Error in UPLOAD_ARTIFACTS phase: {error}") from error
        build.artifacts.append(told)


def _spec_of(output: Output, specs: Sequence[ArtifactSpec], *, alone: bool) -> ArtifactSpec | None:
    """The buildspec's artifact of this name; a single output takes the primary one."""
    known = {one.identifier: one for one in specs}
    found = known.get(output.identifier) or (known.get("") if alone else None)
    if found is None and specs:
        raise PhaseFailed(
            "CLIENT_ERROR",
            f"no definition for artifact {output.identifier or 'artifacts'} in buildspec; "
            f"it has {', '.join(sorted(name or 'artifacts' for name in known))}",
        )
    return found


def _collect(container: Container, spec: ArtifactSpec) -> bytes:
    status, archive = container.collect(spec)
    if status == NO_BASE:
        raise PhaseFailed("CLIENT_ERROR", "no matching base directory path found for target")
    if status == NO_FILES:
        raise PhaseFailed("CLIENT_ERROR", "no matching artifact paths found")
    if status != 0:
        raise PhaseFailed("CLIENT_ERROR", f"the artifact can't be put together (exit status {status})")
    return archive
