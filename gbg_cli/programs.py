"""The programs of this machine that the sandbox runs, and the Debian packages that bring them."""

from __future__ import annotations

import shutil

from gbg_sandbox.home import SandboxError

PROGRAMS = {
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "git": "git",
    "curl": "curl",
    "haproxy": "haproxy",
}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""an ordinary user's path often lacks sbin"""


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def require_programs() -> None:
    """Raises SandboxError that names what is missing, before a release stops half-way for want of it."""
    missing = [name for name in PROGRAMS if find(name) is None]
    if missing:
        packages = dict.fromkeys(PROGRAMS[name] for name in missing)
        raise SandboxError(
            f"this machine lacks {', '.join(missing)}", f"apt-get install {' '.join(packages)}"
        )
