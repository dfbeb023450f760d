"""IAM's decision: may this action be done to this resource in this context?

Pure functions over policies that were read once. The order of rules is AWS's:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gbg_sandbox.authorisation.conditions import Condition, Context, conditions, pattern, substitute


class Effect(StrEnum):
    ALLOW = "Allow"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True)
class Decision:
    effect: Effect
    policy_kind: str = "identity-based policy"
    """what denied, in the words of AWS's message"""

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW


ALLOWED = Decision(Effect.ALLOW)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Patterns:
    """A list of names with wildcards; those without policy variables are compiled once."""

    def __init__(self, texts: Sequence[str], ignore_case: bool = False) -> None:
        self.everything = "*" in texts
        self.fixed = [pattern(text, ignore_case) for text in texts if "${" not in text]
        self.variable = [text for text in texts if "${" in text]

    def match(self, name: str, context: Context) -> bool:
        if self.everything or any(fixed.fullmatch(name) for fixed in self.fixed):
            return True
        for text in self.variable:
            filled = substitute(text, context)
            if filled is not None and pattern(filled).fullmatch(name):
                return True
        return False


@dataclass(frozen=True)
class Statement:
    allow: bool
    actions: Patterns
    not_actions: bool
    resources: Patterns | None
    not_resources: bool
    principals: Principals | None
    conditions: tuple[Condition, ...]

    def concerns(self, action: str) -> bool:
        return self.actions.match(action, {}) != self.not_actions

    def matches(self, resource: str, context: Context) -> bool:
        """Resource and conditions; the action was looked at by `concerns`."""
        if self.resources is not None and self.resources.match(resource, context) == self.not_resources:
            return False
        return all(condition.holds(context) for condition in self.conditions)


class Principals:
    """The Principal element of a policy that hangs on a resource."""

    def __init__(self, element: Any, negated: bool) -> None:
        named = {"AWS": "*"} if element == "*" else element
        self.anyone = element == "*" or "*" in _list(named.get("AWS", []))
        self.names = {kind: {str(name) for name in _list(names)} for kind, names in named.items()}
        self.negated = negated

    def match(self, who: Caller) -> Grant | None:
        """How this element names the caller: directly, by its whole account, or not at all."""
        found = self._grant(who)
        if not self.negated:
            return found
        return None if found else Grant.DIRECT

    def _grant(self, who: Caller) -> Grant | None:
        if who.service:
            return Grant.DIRECT if self.anyone or who.service in self.names.get("Service", ()) else None
        named = self.names.get("AWS", set())
        if self.anyone or not named.isdisjoint(who.arns):
            return Grant.DIRECT
        account = {who.account, f"arn:aws:iam::{who.account}:root"}
        return Grant.ACCOUNT if who.account and not named.isdisjoint(account) else None


class Grant(StrEnum):
    DIRECT = "direct"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Caller:
    """The caller as a resource's policy sees it: a service, or an account's user or role session."""

    arns: frozenset[str] = frozenset()
    account: str = ""
    service: str = ""


@dataclass
class Policy:
    """A policy document, read once; refuses what IAM would refuse."""

    statements: tuple[Statement, ...]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, document: str | Mapping[str, Any]) -> Policy:
        parsed = json.loads(document) if isinstance(document, str) else document
        return cls(tuple(_statement(one) for one in _list(parsed.get("Statement", []))))

    def concerning(self, action: str) -> tuple[Statement, ...]:
        found = self._by_action.get(action)
        if found is None:
            found = tuple(statement for statement in self.statements if statement.concerns(action))
            self._by_action[action] = found
        return found


def _statement(raw: Mapping[str, Any]) -> Statement:
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise ValueError(f"Effect must be Allow or Deny, not {raw.get('Effect')!r}")
    if ("Action" in raw) == ("NotAction" in raw):
        raise ValueError("a statement needs either Action or NotAction")
    principal = raw.get("Principal", raw.get("NotPrincipal"))
    resource = raw.get("Resource", raw.get("NotResource"))
    return Statement(
        allow=raw["Effect"] == "Allow",
        actions=Patterns(_list(raw.get("Action", raw.get("NotAction"))), ignore_case=True),
        not_actions="NotAction" in raw,
        resources=None if resource is None else Patterns(_list(resource)),
        not_resources="NotResource" in raw,
        principals=None if principal is None else Principals(principal, "NotPrincipal" in raw),
        conditions=conditions(raw.get("Condition", {})),
    )


def evaluate(policies: Iterable[Policy], action: str, resource: str, context: Context) -> Effect:
    """One set of policies by itself: an explicit deny wins, then any allow."""
    allowed = False
    for policy in policies:
        for statement in policy.concerning(action):
            if allowed and statement.allow:
                continue
            if statement.matches(resource, context):
                if not statement.allow:
                    return Effect.EXPLICIT_DENY
                allowed = True
    return Effect.ALLOW if allowed else Effect.IMPLICIT_DENY


def evaluate_resource_policy(
    policy: Policy, who: Caller, action: str, resource: str, context: Context
) -> tuple[Effect, Grant | None]:
    """What a resource's own policy says to this caller, and how directly it names them."""
    granted: Grant | None = None
    for statement in policy.concerning(action):
        grant = statement.principals.match(who) if statement.principals else None
        if grant is None or not statement.matches(resource, context):
            continue
        if not statement.allow:
            return Effect.EXPLICIT_DENY, grant
        if granted is not Grant.DIRECT:
            granted = grant
    return (Effect.ALLOW if granted else Effect.IMPLICIT_DENY), granted


@dataclass(frozen=True)
class PolicySet:
    """Everything that limits one caller; None where there is no such limit."""

    identity: tuple[Policy, ...] = ()
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None


def decide(
    policies: PolicySet,
    action: str,
    resource: str,
    context: Context,
    resource_effect: Effect = Effect.IMPLICIT_DENY,
    resource_grant: Grant | None = None,
) -> Decision:
    """Put identity policies, boundary, session policy and the resource's policy together (same account)."""
    if resource_effect is Effect.EXPLICIT_DENY:
        return Decision(Effect.EXPLICIT_DENY, "resource-based policy")
    identity = evaluate(policies.identity, action, resource, context)
    if identity is Effect.EXPLICIT_DENY:
        return Decision(identity, "identity-based policy")
    limits = (("permissions boundary", policies.boundary), ("session policy", policies.session))
    limited = [
        (kind, evaluate(limit, action, resource, context)) for kind, limit in limits if limit is not None
    ]
    for kind, effect in limited:
        if effect is Effect.EXPLICIT_DENY:
            return Decision(effect, kind)
    if identity is not Effect.ALLOW and resource_grant is not Grant.DIRECT:
        return Decision(Effect.IMPLICIT_DENY, "identity-based policy")
    for kind, effect in limited:
        if effect is not Effect.ALLOW:
            return Decision(effect, kind)
    return ALLOWED
