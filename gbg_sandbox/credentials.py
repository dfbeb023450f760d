"""Keys that the sandbox has issued, and who stands behind each.

Everything is random per sandbox; nothing that was made for real AWS is ever accepted.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gbg_sandbox.service import Principal

LEAST_KEYS = 200
KEPT_EXPIRED = timedelta(hours=1)
"""in which an expired key is called expired, and not unknown"""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Credential:
    access_key: str
    secret_key: str
    principal: Principal
    token: str = ""
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        return self.expires is not None and datetime.now(UTC) >= self.expires


class Credentials:
    def __init__(self) -> None:
        self._keys: dict[str, Credential] = {}
        self._look_at = LEAST_KEYS
        """number of keys at which expired ones are looked for"""
        self._lock = threading.Lock()

    def issue(self, principal: Principal, *, real_seconds: float | None = None) -> Credential:
        """New keys; with a duration they are temporary and carry a session token."""
        temporary = real_seconds is not None
        prefix = "ASIA" if temporary else "AKIA"
        credential = Credential(
            access_key=prefix + "".join(secrets.choice(ALPHABET) for _ in range(16)),
            secret_key=secrets.token_urlsafe(30),
            principal=principal,
            token=secrets.token_urlsafe(96) if temporary else "",
            expires=datetime.now(UTC) + timedelta(seconds=real_seconds) if real_seconds is not None else None,
        )
        return self.keep(credential)

    def keep(self, credential: Credential) -> Credential:
        with self._lock:
            self._keys[credential.access_key] = credential
            if len(self._keys) >= self._look_at:
                self._forget_expired()
        return credential

    def _forget_expired(self) -> None:
        limit = datetime.now(UTC) - KEPT_EXPIRED
        for key, one in list(self._keys.items()):
            if one.expires is not None and one.expires < limit:
                del self._keys[key]
        self._look_at = 2 * len(self._keys) + LEAST_KEYS

    def find(self, access_key: str) -> Credential | None:
        with self._lock:
            return self._keys.get(access_key)

    def revoke(self, access_key: str) -> None:
        with self._lock:
            self._keys.pop(access_key, None)
