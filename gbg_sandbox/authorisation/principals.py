"""Which policies bind a user or a role: read from moto's IAM records, kept until IAM changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from gbg_sandbox.authorisation.evaluator import Policy, PolicySet
from gbg_sandbox.service import Principal


class Directory:
    """The users and roles of one account. `backend` is moto's IAM backend."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._kept: dict[tuple[str, str], PolicySet] = {}
        self._trust: dict[str, Policy] = {}
        self._lock = threading.Lock()

    def changed(self) -> None:
        """IAM was written to: read everything again when it is next needed."""
        with self._lock:
            self._kept.clear()
            self._trust.clear()

    def policies(self, principal: Principal) -> PolicySet:
        """What binds this caller; a role or user that is gone has no rights."""
        kind, name = ("role", principal.role_name) if principal.role_name else ("user", principal.user_name)
        with self._lock:
            found = self._kept.get((kind, name))
            if found is None:
                found = self._kept[(kind, name)] = self._read(kind, name)
        if not principal.session_policy and not principal.session_policy_arns:
            return found
        session = [self._managed(arn) for arn in principal.session_policy_arns]
        if principal.session_policy:
            session.append(Policy.read(principal.session_policy))
        return PolicySet(found.identity, found.boundary, tuple(session))

    def role(self, name: str) -> Any | None:
        """moto's record of a role, by name."""
        return next((role for role in list(self._backend.roles.values()) if role.name == name), None)

    def user(self, name: str) -> Any | None:
        return self._backend.users.get(name)

    def profile(self, name_or_arn: str) -> Any | None:
        """moto's record of an instance profile."""
        profiles = list(self._backend.instance_profiles.values())
        return next((one for one in profiles if name_or_arn in (one.name, one.arn)), None)

    def managed_policy(self, name: str) -> Any | None:
        return next((one for one in self._backend.managed_policies.values() if one.name == name), None)

    def has_managed(self, arn: str) -> bool:
        return arn in self._backend.managed_policies

    def trust(self, role_name: str) -> Policy | None:
        """A role's trust policy, or None when there is no such role."""
        with self._lock:
            if role_name not in self._trust:
                role = self.role(role_name)
                if role is None:
                    return None
                self._trust[role_name] = Policy.read(_text(role.assume_role_policy_document))
            return self._trust[role_name]

    def _read(self, kind: str, name: str) -> PolicySet:
        who = self.role(name) if kind == "role" else self.user(name)
        if who is None:
            return PolicySet()
        documents = list(_documents(who))
        if kind == "user":
            groups = [group for group in self._backend.groups.values() if who in group.users]
            documents += [document for group in groups for document in _documents(group)]
        boundary = getattr(who, "permissions_boundary_arn", None)
        limit = None if not boundary else (self._managed(boundary),)
        return PolicySet(tuple(Policy.read(document) for document in documents), limit)

    def _managed(self, arn: str) -> Policy:
        policy = self._backend.managed_policies.get(arn)
        return Policy.read(_default_document(policy)) if policy else Policy(())


def _documents(who: Any) -> Iterable[str]:
    """Inline and attached documents of moto's role, user or group."""
    for document in who.policies.values():
        yield _text(document)
    for policy in who.managed_policies.values():
        yield _default_document(policy)


def _default_document(policy: Any) -> str:
    version = next(one for one in policy.versions if one.version_id == policy.default_version_id)
    return _text(version.document)


def _text(document: Any) -> str:
    """IAM keeps documents as JSON, moto some of them URL-encoded."""
    if not isinstance(document, str):
        return json.dumps(document)
    return document if document.lstrip().startswith("{") else unquote(document)
