"""What AWS itself tells of secrets: credentials, and values that it keeps encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OPERATIONS = frozenset(
    {"get_parameter", "get_parameters", "get_parameters_by_path", "get_parameter_history", "get_secret_value"}
    | {"assume_role", "assume_role_with_saml", "assume_role_with_web_identity", "get_federation_token"}
    | {"get_session_token", "create_access_key", "get_authorization_token", "get_login_password"}
)
"""the only ones whose answers are looked through"""
SECRETS = frozenset({"SecretAccessKey", "SessionToken", "SecretString", "authorizationToken"})


def values_in(operation: str, answer: Any) -> Iterator[str]:
    if operation in OPERATIONS:
        yield from _found(answer)


def _found(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("Type") == "SecureString" and isinstance(value.get("Value"), str):
            yield value["Value"]
        for key, item in value.items():
            if key in SECRETS and isinstance(item, str):
                yield item
            else:
                yield from _found(item)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item)
