"""What CodeBuild remembers: projects and builds."""

from __future__ import annotations

import copy
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import AwsError

SUCCEEDED, FAILED, FAULT = "SUCCEEDED", "FAILED", "FAULT"
TIMED_OUT, STOPPED, IN_PROGRESS = "TIMED_OUT", "STOPPED", "IN_PROGRESS"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Input:
    """One source of a build, resolved: an S3 object, a commit of a repository, or nothing."""

    type: str
    location: str = ""
    """S3: bucket/key; CodeCommit: the clone address"""
    version: str = ""
    """commit, branch or object version, as it was asked for"""
    identifier: str = ""
    """empty for the primary source"""


@dataclass(frozen=True)
class Output:
    """Where one artifact of a build goes."""

    type: str
    identifier: str = ""
    bucket: str = ""
    key: str = ""
    packaging: str = "ZIP"
    encrypted: bool = True


@dataclass(frozen=True)
class Handover:
    """What CodePipeline gives a build along with StartBuild, on a way that has no public API."""

    pipeline: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    revision: str = ""
    kms_key: str = ""


class PhaseFailed(Exception):
    """Ends a phase; code and message stand in its context."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Phase:
    type: str
    started: datetime = field(default_factory=_now)
    ended: datetime | None = None
    status: str = ""
    code: str = ""
    message: str = ""

    def told(self) -> dict[str, Any]:
        """A BuildPhase of the API."""
        found: dict[str, Any] = {"phaseType": self.type, "startTime": self.started}
        if self.status:
            found["phaseStatus"] = self.status
            found["contexts"] = [{"statusCode": self.code, "message": self.message}]
        if self.ended:
            found["endTime"] = self.ended
            found["durationInSeconds"] = round((self.ended - self.started).total_seconds())
        return found


@dataclass
class Project:
    name: str
    arn: str
    settings: dict[str, Any]
    """the members of the API's Project that CreateProject takes"""
    created: datetime = field(default_factory=_now)
    modified: datetime = field(default_factory=_now)
    builds: int = 0

    def told(self) -> dict[str, Any]:
        return {
            **copy.deepcopy(self.settings),
            "name": self.name,
            "arn": self.arn,
            "created": self.created,
            "lastModified": self.modified,
            "badge": {"badgeEnabled": False},
            "projectVisibility": "PRIVATE",
        }


@dataclass
class Build:
    id: str
    arn: str
    number: int
    project: str
    settings: dict[str, Any]
    """the project's settings with this build's overrides"""
    initiator: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    request: dict[str, Any]
    """the parameters of StartBuild, for RetryBuild"""
    resolved_version: str = ""
    status: str = IN_PROGRESS
    started: datetime = field(default_factory=_now)
    ended: datetime | None = None
    phases: list[Phase] = field(default_factory=list)
    exported: list[dict[str, str]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    log_group: str = ""
    log_stream: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def uuid(self) -> str:
        return self.id.partition(":")[2]

    @property
    def complete(self) -> bool:
        return self.status != IN_PROGRESS

    @property
    def current_phase(self) -> str:
        return self.phases[-1].type if self.phases else "SUBMITTED"


class Records:
    """Projects and builds by name and id, safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projects: dict[str, Project] = {}
        self._builds: dict[str, Build] = {}
        self._tokens: dict[str, str] = {}

    def add_project(self, project: Project) -> None:
        with self._lock:
            if project.name in self._projects:
                raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {project.arn}")
            self._projects[project.name] = project

    def project(self, name_or_arn: str, arn: str = "") -> Project:
        with self._lock:
            found = self._projects.get(name_or_arn.rpartition("project/")[2])
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn or name_or_arn}")
        return found

    def find_project(self, name_or_arn: str) -> Project | None:
        with self._lock:
            return self._projects.get(name_or_arn.rpartition("project/")[2])

    def delete_project(self, name_or_arn: str) -> None:
        with self._lock:
            self._projects.pop(name_or_arn.rpartition("project/")[2], None)

    def projects(self) -> list[Project]:
        with self._lock:
            return list(self._projects.values())

    def number_build(self, project: Project) -> tuple[int, str]:
        """The next build's number and id."""
        with self._lock:
            project.builds += 1
            return project.builds, f"{project.name}:{uuid.uuid4()}"

    def add_build(self, build: Build, token: str = "") -> None:
        with self._lock:
            self._builds[build.id] = build
            if token:
                self._tokens[token] = build.id

    def build_of_token(self, token: str) -> Build | None:
        with self._lock:
            return self._builds.get(self._tokens.get(token, ""))

    def find_build(self, id_or_arn: str) -> Build | None:
        with self._lock:
            return self._builds.get(id_or_arn.rpartition("build/")[2])

    def builds(self, project: str = "") -> list[Build]:
        """Oldest first."""
        with self._lock:
            return [build for build in self._builds.values() if project in ("", build.project)]
