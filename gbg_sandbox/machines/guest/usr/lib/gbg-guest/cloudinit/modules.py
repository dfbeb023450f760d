"""The cloud-config modules that run here; every other key is named in a warning."""

from __future__ import annotations

import base64
import gzip
import os
import shlex
import subprocess
import time

from cloudinit import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

KNOWN = (
    "write_files", "runcmd", "bootcmd", "packages", "package_update", "package_upgrade", "hostname", "fqdn",
    "preserve_hostname", "ssh_authorized_keys", "timezone", "repo_upgrade", "repo_releasever", "output",
)  # fmt: skip


def run(argv: Sequence[str]) -> int:
    """Run a program; its output goes to cloud-init-output.log and on to our own stdout while it runs."""
    with open(paths.OUTPUT_LOG, "ab") as log, open(paths.OUTPUT_LOG, "rb") as reader:
        reader.seek(0, os.SEEK_END)
        child = subprocess.Popen(list(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        while True:
            status = child.poll()
            text = reader.read()
            if text:
                os.write(1, text)
            if status is not None:
                return status
            time.sleep(0.02)


def unknown_keys(config: dict[str, Any]) -> list[str]:
    return sorted(set(config) - set(KNOWN))


def write_files(config: dict[str, Any]) -> None:
    for entry in config.get("write_files", ()):
        content = entry.get("content", "")
        encoding = entry.get("encoding", "text/plain")
        raw = content.encode() if isinstance(content, str) else content
        if encoding in ("b64", "base64", "gz+base64", "gzip+base64", "gz+b64"):
            raw = base64.b64decode(raw)
        if encoding.startswith("gz"):
            raw = gzip.decompress(raw)
        os.makedirs(os.path.dirname(entry["path"]) or "/", exist_ok=True)
        with open(entry["path"], "ab" if entry.get("append") else "wb") as file:
            file.write(raw)
        os.chmod(entry["path"], int(str(entry.get("permissions", "0644")), 8))
        if "owner" in entry:
            subprocess.run(["chown", entry["owner"], entry["path"]], check=True)


def shell_script(commands: Sequence[Any]) -> str:
    """`runcmd` or `bootcmd` as a script: lists are quoted, strings are shell."""
    lines = [
        shlex.join(map(str, command)) if isinstance(command, list) else str(command) for command in commands
    ]
    return "#!/bin/sh\n" + "\n".join(lines) + "\n"


def write_script(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o700)


def packages(config: dict[str, Any]) -> int:
    """dnf upgrade and install as asked for; the worst status."""
    status = 0
    release = config.get("repo_releasever")
    if config.get("package_upgrade") or config.get("repo_upgrade") not in (None, "none", False):
        status |= run(["dnf", "-y", "upgrade", *([f"--releasever={release}"] if release else [])])
    names = [name if isinstance(name, str) else name[0] for name in config.get("packages", ())]
    if names:
        status |= run(["dnf", "-y", "install", *names])
    return status
