"""A drill that goes on: written down in the account, so that a notebook, a shell and a group share it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from gbg_lib.errors import NotThere
from gbg_lib.steps import Step


@dataclass(frozen=True)
class Session:
    drill: str
    execution: str
    began: str
    """an ISO 8601 time, as all here"""
    good: str = ""
    """the commit that served before"""
    predictions: dict[str, str] = field(default_factory=dict)
    hints: int = 0
    failed: str = ""
    noticed: str = ""
    repair: str = ""
    """the execution that `mend` began"""
    restored: str = ""

    def with_(self, **changes: object) -> Session:
        return replace(self, **changes)  # type: ignore[arg-type]


def name(step: Step) -> str:
    return f"/{step.parameters.deployment}/drill"


def load(step: Step) -> Session | None:
    try:
        found = step.aws.call("ssm", "get_parameter", Name=name(step))["Parameter"]["Value"]
    except NotThere:
        return None
    return Session(**json.loads(found))


def save(step: Step, session: Session) -> Session:
    """Tags go with the first version: PutParameter takes them or Overwrite, never both."""
    value = json.dumps(asdict(session))
    first: dict[str, object] = {"Tags": [{"Key": "gbg:deployment", "Value": step.parameters.deployment}]}
    again = first if load(step) is None else {"Overwrite": True}
    step.aws.call("ssm", "put_parameter", Name=name(step), Value=value, Type="String", **again)
    return session


def forget(step: Step) -> None:
    try:
        step.aws.call("ssm", "delete_parameter", Name=name(step))
    except NotThere:
        return


def seconds_between(before: str, after: str) -> float:
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()
