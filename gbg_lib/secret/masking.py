"""Takes secrets out of what is kept: by value where they are known, by pattern where they are not.

A mask says that something was there and of what kind, never how long it was.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "****"
SHORTEST = 6
"""characters from which on a known secret is looked for in texts; a shorter one would blacken common words"""
SECRET_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)|secret(?!s?[ _-]?manager)"
    r"|(session|security|auth|access|refresh|id|api)[_-]?token|private[_-]?key|api[_-]?key|secret[_-]?access[_-]?key|credential(?!s?[_-]?(type|helper|provider)))"
)
"""a key with such a name has a secret as its value"""
NO_SECRETS = frozenset({"NoEcho", "sessionCredentialFromConsole"})
PATTERNS = (
    (
        ("private key",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
    ),
    (
        ("a3t", "akia", "asia", "abia", "acca"),
        re.compile(r"\b(A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
        r"\1" + MASK,
    ),
    (
        ("bearer", "basic"),
        re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/._~-]{12,}=*"),
        r"\1 " + MASK,
    ),
    (
        ("x-amz-",),
        re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'<>]+"),
        r"\1" + MASK,
    ),
    (("signature=",), re.compile(r"(?i)(\bSignature=)[0-9a-f]{64}\b"), r"\1" + MASK),
    (
        ("://",),
        re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s/:@\"']*:)[^\s/@\"']+@"),
        r"\1" + MASK + "@",
    ),
    (("eyj",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
    (
        ("gh", "github_pat_", "xox"),
        re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_\w{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"),
        MASK,
    ),
    (
        ("hooks.slack.com/",),
        re.compile(r"(hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]+"),
        r"\1" + MASK,
    ),
    (
        ("iqojb3jpz2lu", "fwogzxivyxdz", "fqogzxivyxdz"),
        re.compile(r"\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9+/=%]{20,}"),
        MASK,
    ),
    (
        ("passw", "passphrase", "secret", "token", "key"),
        re.compile(
            r"(?i)(\b[\w.-]*(?:password|passwd|passphrase|secret(?:[_-]?access)?(?:[_-]?key)?|session[_-]?token"
            r"|auth[_-]?token|api[_-]?key|private[_-]?key)\b[\"'\\]*\s*[=:]\s*[\"'\\]*)([^\s\"'\\,;&]{4,})"
        ),
        r"\1" + MASK,
    ),
)
"""words of which a text that matches has one, in small letters; what matches; what it becomes

Most texts have none of the words, and finding that out takes a tenth of the time."""


class Masking:
    """`secrets` are values that are known to be secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
        forms = sorted({form for one in self._secrets for form in forms_of(one)}, key=len, reverse=True)
        self._forms = re.compile("|".join(map(re.escape, forms))) if forms else None

    def text(self, text: str) -> str:
        if self._forms is not None:
            text = self._forms.sub(MASK, text)
        small = text.lower()
        for words, pattern, mask in PATTERNS:
            if any(word in small for word in words):
                text = pattern.sub(mask, text)
        return text

    def content(self, content: bytes) -> bytes:
        """A text as bytes; bytes that are no UTF-8 stay as they are, after the known secrets are gone."""
        try:
            return self.text(content.decode()).encode()
        except UnicodeDecodeError:
            for secret in self._secrets:
                content = content.replace(secret.encode(), MASK.encode())
            return content

    def value(self, value: Any, name: str = "") -> Any:
        """A value as JSON knows them, masked all the way down. Names of keys tell secrets, too."""
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return [self.value(item, name) for item in value]
        if isinstance(value, str) and not is_picture(name):
            return MASK if value and is_secret_name(name) else self.text(value)
        return value

    def _key(self, key: Any) -> Any:
        """Without what is known to be secret; a pattern would spoil words that others look for."""
        return self._forms.sub(MASK, key) if self._forms is not None and isinstance(key, str) else key

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """`{"Name": "DB_PASSWORD", "Value": …}` and SecureString parameters are told by their siblings."""
        told = next((value[key] for key in NAMING if isinstance(value.get(key), str)), "")
        hidden = is_secret_name(told) or value.get("Type") in ("SecureString", "SECRETS_MANAGER")
        return {
            self._key(key): MASK
            if hidden and key in VALUES and isinstance(item, str) and item
            else self.value(item, key)
            for key, item in value.items()
        }


ESCAPE = re.compile("%[0-9A-F]{2}")
URL_SAFE = str.maketrans("+/", "-_")
NAMING = ("Name", "name", "Key", "key", "ParameterKey")
VALUES = ("Value", "value", "ParameterValue", "ResolvedValue")


def is_picture(name: str) -> bool:
    """Whether a MIME type's data is letters in which a pattern means nothing."""
    return name.startswith("image/") and name != "image/svg+xml"


def forms_of(secret: str) -> Iterator[str]:
    """How a value is written: plain, by JSON, Python, HTML, a shell, a URL, base64, hex, line by line."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # as Jinja does
    yield shlex.quote(secret).strip("'")
    for url in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield url
        yield ESCAPE.sub(lambda found: found[0].lower(), url)
    yield secret.encode().hex()
    yield secret.encode().hex().upper()
    yield from (line.strip() for line in secret.splitlines() if len(line.strip()) >= SHORTEST)
    yield from _base64(secret.encode())


def _base64(secret: bytes) -> Iterator[str]:
    """The letters that stay the same wherever in an encoded text the value begins."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode()
        first, last = (before * 8 + 5) // 6, (before + len(secret)) * 8 // 6
        if last - first >= SHORTEST:
            yield encoded[first:last]
            yield encoded[first:last].translate(URL_SAFE)


def is_secret_name(name: str) -> bool:
    return name not in NO_SECRETS and SECRET_NAME.search(name) is not None
