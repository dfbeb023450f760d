"""AWS's public download bucket of the CodeDeploy agent: aws-codedeploy-<region>.

`latest/install` is version 1, which needs Ruby; `latestv2/install` is version 2, which doesn't. Both install
the same program, `agent/`, with PyYAML beside it for the AppSpec file.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import yaml
from werkzeug import Request, Response

from gbg_sandbox.service import Route

AGENT = Path(__file__).parent / "agent"
VERSIONS = {"latest": "1.8.1-1", "latestv2": "2.1.0-1"}
HOME = "opt/codedeploy-agent"


@lru_cache
def package(version: str) -> bytes:
    """The agent as a tar.gz to be laid over a machine's root."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
        for name, content, mode in _files(version):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _files(version: str) -> Iterator[tuple[str, bytes, int]]:
    yield f"{HOME}/bin/codedeploy-agent", (AGENT / "codedeploy-agent").read_bytes(), 0o755
    yield f"{HOME}/.version", f"agent_version: OFFICIAL_{version}_rpm\n".encode(), 0o444
    for path in sorted((AGENT / "codedeploy_agent").glob("*.py")):
        yield f"{HOME}/lib/codedeploy_agent/{path.name}", path.read_bytes(), 0o644
    for path in sorted(Path(yaml.__file__).parent.glob("*.py")):
        yield f"{HOME}/lib/yaml/{path.name}", path.read_bytes(), 0o644
    settings = (AGENT / "codedeployagent.yml").read_bytes()
    yield "etc/codedeploy-agent/conf/codedeployagent.yml", settings, 0o644
    unit = (AGENT / "codedeploy-agent.service").read_bytes()
    yield "usr/lib/systemd/system/codedeploy-agent.service", unit, 0o644
    yield "var/log/aws/codedeploy-agent/codedeploy-agent.log", b"", 0o644


class AgentBucket:
    def __init__(self, region: str) -> None:
        bucket = f"aws-codedeploy-{region}"
        self._host = rf"{bucket}\.s3[.-]{region}\.amazonaws\.com|{bucket}\.s3\.amazonaws\.com"
        self._by_path = (rf"s3[.-]{region}\.amazonaws\.com", rf"/{bucket}/.*")

    def routes(self) -> Sequence[Route]:
        return (Route(self._host, "/.*", self.serve), Route(*self._by_path, self.serve))

    def serve(self, request: Request) -> Response:
        """An object of the bucket to anybody, or S3's refusal."""
        key = re.sub(r"^/(aws-codedeploy-[a-z0-9-]+/)?", "", request.path)
        if request.method not in ("GET", "HEAD"):
            return _refusal(
                "MethodNotAllowed", "The specified method is not allowed against this resource.", 405
            )
        content = self._object(key)
        if content is None:
            return _refusal("AccessDenied", "Access Denied", 403)
        return Response(content, content_type="binary/octet-stream")

    @staticmethod
    def _object(key: str) -> bytes | None:
        for prefix, version in VERSIONS.items():
            archive = f"releases/codedeploy-agent-{version}.tgz"
            if key == f"{prefix}/install":
                return (AGENT / "install").read_bytes().replace(b"@PREFIX@", prefix.encode())
            if key == f"{prefix}/VERSION":
                return json.dumps({"version": version, "tgz": archive}).encode()
            if key == archive:
                return package(version)
        return None


def _refusal(code: str, message: str, status: int) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Response(body, status=status, content_type="application/xml")
