"""The condition keys of one request, looked up only when a policy asks for them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.authorisation.conditions import Value

if TYPE_CHECKING:
    from gbg_sandbox.authorisation.door import Door
    from gbg_sandbox.service import Call, Principal


def lowered(keys: Mapping[str, Any]) -> dict[str, Value]:
    """Condition keys are compared without case; true and false are written as in JSON."""
    return {
        name.lower(): str(value).lower() if isinstance(value, bool) else value for name, value in keys.items()
    }


def global_keys(principal: Principal, region: str, call: Call | None = None) -> dict[str, Value]:
    """Keys that each request has.

    aws:SecureTransport is always true: between the host's programs and the sandbox nothing leaves this
    machine, and inside machines AWS's endpoints speak TLS.
    """
    now = datetime.now(UTC)
    keys: dict[str, Value] = {
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal_arn(principal),
        "aws:principaltype": "AssumedRole" if principal.role_name else "User",
        "aws:principalisawsservice": "false",
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:viaawsservice": "false",
    }
    if principal.user_name:
        keys["aws:username"] = principal.user_name
    if principal.instance_id:
        keys["ec2:sourceinstancearn"] = (
            f"arn:aws:ec2:{region}:{principal.account}:instance/{principal.instance_id}"
        )
    if call is not None and call.request is not None:
        keys["aws:sourceip"] = call.request.remote_addr or "127.0.0.1"
        keys["aws:useragent"] = call.request.headers.get("User-Agent", "")
    return keys


def principal_arn(principal: Principal) -> str:
    """aws:PrincipalArn: of a role session it is the role's."""
    if not principal.role_name:
        return principal.arn
    return f"arn:aws:iam::{principal.account}:role/{principal.role_name}"


class Keys(Mapping[str, Value]):
    """Fixed keys, and tags of the caller and of the resource that are read on demand."""

    def __init__(self, fixed: Mapping[str, Value], door: Door, principal: Principal, resource: str) -> None:
        self._fixed = fixed
        self._door = door
        self._principal = principal
        self._resource = resource

    def __getitem__(self, key: str) -> Value:
        if key in self._fixed:
            return self._fixed[key]
        family, _, tag = key.partition("/")
        if not tag:
            raise KeyError(key)
        if family == "aws:principaltag":
            return _find(self._door.principal_tags(self._principal), tag)
        if family.endswith(":resourcetag"):
            return _find(self._door.resource_tags(self._resource), tag)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fixed)

    def __len__(self) -> int:
        return len(self._fixed)


def _find(tags: Mapping[str, str], name: str) -> str:
    for key, value in tags.items():
        if key.lower() == name:
            return value
    raise KeyError(name)


def request_tags(tags: Mapping[str, str]) -> dict[str, Value]:
    """aws:RequestTag and aws:TagKeys for tags that the request would set."""
    if not tags:
        return {}
    return {
        **{f"aws:requesttag/{key.lower()}": value for key, value in tags.items()},
        "aws:tagkeys": list(tags),
    }


def tags_in(params: Mapping[str, Any]) -> dict[str, str]:
    """Tags in a request's parameters, in whichever of AWS's forms."""
    found = params.get("Tags") or params.get("tags") or params.get("TagList") or []
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    return {
        str(one.get("Key", one.get("key"))): str(one.get("Value", one.get("value", "")))
        for one in found
        if isinstance(one, Mapping)
    }
