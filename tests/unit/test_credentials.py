"""Keys that the sandbox issues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gbg_sandbox.credentials import LEAST_KEYS, Credential, Credentials
from gbg_sandbox.service import Principal

SOMEONE = Principal("role", "arn:aws:sts::123456789012:assumed-role/r/s", "123456789012", role_name="r")


def key(name: str, ago: timedelta | None) -> Credential:
    return Credential(name, "secret", SOMEONE, "token", datetime.now(UTC) - ago if ago is not None else None)


def test_what_expired_long_ago_is_forgotten_and_nothing_else() -> None:
    credentials = Credentials()
    lasting = credentials.keep(key("lasting", None))
    lately = credentials.keep(key("lately", timedelta(minutes=1)))
    for number in range(5 * LEAST_KEYS):
        credentials.keep(key(f"old-{number}", timedelta(hours=2)))
    assert credentials.find("lasting") is lasting
    assert credentials.find("lately") is lately
    kept = [number for number in range(5 * LEAST_KEYS) if credentials.find(f"old-{number}")]
    assert len(kept) < LEAST_KEYS + 10
