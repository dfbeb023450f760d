"""What is being gathered for one record: evidence, files, and what could not be had.

Everything is masked on its way in. A source that AWS has lost or refuses is noted, and the rest goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.errors import GbgError, Interrupted
from gbg_lib.record.format import Evidence, dumps, loads
from gbg_lib.replay import clock
from gbg_lib.secret.masking import Masking

BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=5)
"""how much time around the release is looked at"""
UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
MISSING = "missing"


@dataclass(frozen=True)
class Subject:
    """The release that is recorded, and where its parts are."""

    aws: Aws
    deployment: str
    base: Mapping[str, str]
    """Part 1's outputs"""
    parts: Mapping[str, str]
    """Part 3's outputs"""
    execution_id: str
    started: datetime
    finished: datetime
    actions: tuple[Mapping[str, Any], ...]
    """as list_action_executions tells them, oldest first"""
    former_commit: str = ""
    """what was released before"""
    observed: tuple[Evidence, ...] = ()
    """what someone who watched the release kept"""
    former_execution: str = ""
    """the release that brought what served before"""
    status: str = ""
    """how the execution ended"""

    @property
    def pipeline(self) -> str:
        return self.parts["PipelineName"]

    @property
    def begin(self) -> datetime:
        return self.started - BEFORE

    @property
    def end(self) -> datetime:
        return min(self.finished + AFTER, clock.now())

    def external(self, provider: str) -> list[str]:
        """What stands behind the actions of a provider: builds, deployments; the latest try last."""
        return [
            result
            for action in self.actions
            if action["input"]["actionTypeId"]["provider"] == provider
            and (result := action.get("output", {}).get("executionResult", {}).get("externalExecutionId"))
        ]

    def output(self, name: str) -> str:
        """An output variable of the latest action that has it, or empty."""
        values = [
            action.get("output", {}).get("outputVariables", {}).get(name, "") for action in self.actions
        ]
        return next((value for value in reversed(values) if value), "")

    @property
    def automation(self) -> str:
        """The bake's execution, also where it failed before it could tell an output."""
        return self.output("AutomationExecutionId") or next(reversed(self.external("Lambda")), "")

    @property
    def commit(self) -> str:
        return self.output("CommitId")

    @property
    def deployments(self) -> list[str]:
        return self.external("CodeDeploy")


@dataclass
class Gathering:
    masking: Masking = field(default_factory=Masking)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        key: str,
        source: str,
        data: Mapping[str, Any],
        *,
        at: datetime | None = None,
        until: datetime | None = None,
        file: str = "",
    ) -> Evidence:
        """`key` tells it from others of its kind; empty where there is one only."""
        plain = loads(dumps(self.masking.value(data)).encode(), source)
        plain.pop("ResponseMetadata", None)
        made = Evidence(kind, f"{kind}:{key}" if key else kind, source, plain, at, until, file)
        self.evidence[made.id] = made
        return made

    def keep(self, name: str, content: bytes) -> str:
        """A file of the archive; its name there."""
        fit = "files/" + UNFIT.sub("_", name).lstrip("._-")[:110]
        self.files[fit] = self.masking.content(content)
        return fit

    @contextmanager
    def source(self, name: str) -> Iterator[None]:
        """What can't be had from here is noted as missing, with AWS's reason."""
        try:
            yield
        except Interrupted:
            raise
        except GbgError as error:
            self.miss(name, error.what, error.where)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            self.miss(name, f"its answer has another shape than AWS documents: {error!r}", name)

    def miss(self, name: str, why: str, source: str) -> None:
        self.add(MISSING, name, source, {"what": name, "why": why})

    def came(self, names: Iterable[str]) -> None:
        """Note of each that was missing, and is not any more, that it came later."""
        missing = {one.data["what"] for one in self.of(MISSING)}
        for name in sorted(set(names) - missing):
            told = {"what": name, "why": "it could be had later", "came": True}
            self.add(MISSING, name, "gbg record", told)

    def of(self, kind: str) -> list[Evidence]:
        return [one for one in self.evidence.values() if one.kind == kind]


def still_missing(found: Iterable[Evidence]) -> list[Evidence]:
    """Of what was noted as missing what did not come later."""
    return [one for one in found if not one.data.get("came")]


def milliseconds(time: datetime) -> int:
    """As CloudWatch Logs counts time."""
    return int(time.timestamp() * 1000)


def utc(time: Any) -> datetime | None:
    return time if isinstance(time, datetime) else None
