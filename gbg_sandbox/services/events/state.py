"""Rules of the default event bus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.events.patterns import Pattern
from gbg_sandbox.services.events.transformer import RuleNames


@dataclass
class Rule:
    name: str
    arn: str
    enabled: bool = True
    pattern_text: str = ""
    pattern: Pattern | None = None
    schedule: str = ""
    rate_seconds: int = 0
    """AWS seconds between two runs, 0 without a schedule"""
    description: str = ""
    role_arn: str = ""
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> RuleNames:
        return RuleNames(self.arn, self.name)

    def described(self) -> dict[str, Any]:
        """As DescribeRule and ListRules tell it."""
        optional = {
            "EventPattern": self.pattern_text,
            "ScheduleExpression": self.schedule,
            "Description": self.description,
            "RoleArn": self.role_arn,
        }
        return {
            "Name": self.name,
            "Arn": self.arn,
            "State": "ENABLED" if self.enabled else "DISABLED",
            "EventBusName": "default",
            **{key: value for key, value in optional.items() if value},
        }


class Rules:
    """All rules by name. Whoever reads or writes holds the service's lock."""

    def __init__(self) -> None:
        self.by_name: dict[str, Rule] = {}

    def get(self, name: str) -> Rule:
        if name not in self.by_name:
            raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus default.")
        return self.by_name[name]

    def by_arn(self, arn: str) -> Rule:
        return self.get(arn.rpartition("/")[2])

    def listed(self, prefix: str = "") -> list[Rule]:
        return [rule for name, rule in sorted(self.by_name.items()) if name.startswith(prefix)]
