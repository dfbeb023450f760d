"""User data taken apart: shell scripts and cloud-config, alone, gzipped or in a MIME multipart archive."""

from __future__ import annotations

import gzip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT, CONFIG = "text/x-shellscript", "text/cloud-config"
HEADERS = {b"#!": SCRIPT, b"#cloud-config": CONFIG}
UNSUPPORTED = (b"#include", b"#cloud-boothook", b"#part-handler", b"#upstart-job", b"## template")


class UserDataError(Exception):
    """User data that can't be used here; the text says why."""


def parts(content: bytes) -> list[tuple[str, str, bytes]]:
    """(content type, file name, content) of each part. Raises UserDataError."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if not content.strip():
        return []
    if content.lstrip().lower().startswith((b"content-type:", b"mime-version:")):
        return _mime(content)
    return [(_kind(content), "part-001", content)]


def _kind(content: bytes) -> str:
    for mark, kind in HEADERS.items():
        if content.startswith(mark):
            return kind
    for mark in UNSUPPORTED:
        if content.startswith(mark):
            raise UserDataError(f"user data of the kind {mark.decode()} is not supported in this machine")
    raise UserDataError(f"Unhandled non-multipart (text/x-not-multipart) userdata: {content[:24]!r}...")


def _mime(content: bytes) -> list[tuple[str, str, bytes]]:
    import email

    found = []
    for number, part in enumerate(email.message_from_bytes(content).walk(), 1):
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        body = payload if isinstance(payload, bytes) else b""
        kind = part.get_content_type()
        if kind not in (SCRIPT, CONFIG):
            kind = _kind(body)
        found.append((kind, part.get_filename() or f"part-{number:03}", body))
    return found


def merged_config(found: list[tuple[str, str, bytes]]) -> dict[str, Any]:
    """All cloud-config parts in one; a later part's keys win. Raises UserDataError."""
    merged: dict[str, Any] = {}
    for kind, name, body in found:
        if kind != CONFIG:
            continue
        import yaml

        try:
            config = yaml.safe_load(body) or {}
        except yaml.YAMLError as error:
            raise UserDataError(f"Failed at parsing cloud-config {name}: {error}") from None
        if not isinstance(config, dict):
            raise UserDataError(f"cloud-config {name} is not a mapping")
        merged |= config
    return merged
