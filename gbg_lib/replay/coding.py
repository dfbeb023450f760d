"""Replies and parameters as JSON: times, bytes and bodies come back as what they were.

Everything is masked on its way in. A zip file can't be masked without becoming another one: with a secret in
it, it is kept masked and says so.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gbg_lib.secret.masking import Masking

if TYPE_CHECKING:
    from botocore.response import StreamingBody

TIME, TEXT, BYTES, BODY, HASH, MASKED = "$time", "$text", "$bytes", "$body", "$sha256", "$masked"
ODD = "$odd"
"""what can't be kept is told by its type: a run is not to fail because of what it keeps"""
SHORT_BYTES = 2_000
"""of what is sent; more is told by its hash"""
MOST_ZIP_BYTES = 100_000_000


def dumps(value: Any) -> str:
    """In the order in which AWS answered: what is shown may keep it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def reply(value: Any, masking: Masking) -> Any:
    """What came from outside. Bodies are kept whole, without secrets."""
    return masking.value(_plain(value, lambda content: _kept(content, masking)))


def question(value: Any, masking: Masking) -> Any:
    """What was asked. Long bytes are told by their hash, which is of the masked ones."""
    return masking.value(_plain(value, lambda content: _told(masking.content(content))))


def back(value: Any) -> Any:
    """A kept reply as its caller got it."""
    if isinstance(value, list):
        return [back(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if TIME in value:
        return datetime.fromisoformat(value[TIME])
    if TEXT in value:
        return value[TEXT].encode()
    if BYTES in value:
        return base64.b64decode(value[BYTES])
    if BODY in value:
        content = back(value[BODY])
        return _body(content)
    return {key: back(item) for key, item in value.items()}


def was_masked(value: Any) -> bool:
    """Whether somewhere in a kept reply bytes had to be changed whose hash may matter."""
    if isinstance(value, Mapping):
        return MASKED in value or any(was_masked(item) for item in value.values())
    return isinstance(value, list) and any(was_masked(item) for item in value)


def _plain(value: Any, content: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, content) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, content) for item in value]
    if isinstance(value, datetime):
        return {TIME: value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return content(bytes(value))
    if isinstance(value, _Read):
        return {BODY: content(value.content)}
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return {ODD: type(value).__name__}


class _Read:
    """A body that was read, so that it can be kept and still be read by whoever asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content


def read_bodies(answer: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A reply for who asked, with a body that can be read, and the same to be kept."""
    given, kept = dict(answer), dict(answer)
    for name, value in answer.items():
        if hasattr(value, "read"):
            content = value.read()
            given[name], kept[name] = _body(content), _Read(content)
    return given, kept


def _body(content: bytes) -> StreamingBody:
    from botocore.response import StreamingBody  # a runner that only keeps replies needs none of it

    return StreamingBody(io.BytesIO(content), len(content))


def _kept(content: bytes, masking: Masking) -> dict[str, Any]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        masked = _masked_zip(content, masking)
        told = {BYTES: base64.b64encode(masked or content).decode()}
        return {**told, MASKED: True} if masked is not None else told
    try:
        return {TEXT: masking.text(content.decode())}
    except UnicodeDecodeError:
        return {BYTES: base64.b64encode(masking.content(content)).decode()}


def _told(content: bytes) -> dict[str, Any]:
    if len(content) > SHORT_BYTES:
        return {HASH: hashlib.sha256(content).hexdigest(), "$length": len(content)}
    try:
        return {TEXT: content.decode()}
    except UnicodeDecodeError:
        return {BYTES: base64.b64encode(content).decode()}


def _masked_zip(content: bytes, masking: Masking) -> bytes | None:
    """The same members without secrets; None where there are none to take out, or it can't be looked into."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_ZIP_BYTES:
                return None
            members = {item: archive.read(item) for item in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    masked = {item: masking.content(member) for item, member in members.items()}
    if masked == members:
        return None
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for item, member in masked.items():
            archive.writestr(item, member)
    return made.getvalue()
