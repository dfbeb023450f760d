"""Chooses where artifacts come from, once a sandbox.

The address of Maven Central is asked from the host's own Maven: a mirror in the person's settings, else the
address that Maven carries inside itself.
"""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from gbg_sandbox.maven.repository import DEBIAN_ROOT, CentralRepository, DebianRepository, Repository

log = logging.getLogger(__name__)

SUPER_POM = "org/apache/maven/model/pom-4.0.0.xml"
MODEL_JARS = (Path("/usr/share/maven/lib"), Path("/usr/share/java"))
PROBE = "junit/junit/maven-metadata.xml"
PROBE_SECONDS = 2.0
MIRROR = re.compile(r"<mirror>(.*?)</mirror>", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def open_repository(kept: Path) -> Repository:
    """Maven Central when it answers within two seconds, else Debian's packages."""
    url = central_url()
    if url and _answers(url):
        log.info("maven: artifacts come from %s", url)
        return CentralRepository(url, kept)
    log.info("maven: artifacts come from %s", DEBIAN_ROOT)
    return DebianRepository()


def central_url(home: Path | None = None) -> str:
    """Where the host's Maven would look; empty when that can't be told."""
    settings = (home or Path.home()) / ".m2" / "settings.xml"
    if settings.is_file():
        for mirror in MIRROR.findall(COMMENT.sub("", settings.read_text(errors="replace"))):
            covers = _element(mirror, "mirrorOf")
            if covers in ("*", "central", "external:*"):
                return _element(mirror, "url")
    for folder in MODEL_JARS:
        for jar in sorted(folder.glob("maven*-model-builder*.jar")):
            with zipfile.ZipFile(jar) as archive:
                if SUPER_POM in archive.namelist():
                    pom = archive.read(SUPER_POM).decode()
                    return _element(pom.partition("<repositories>")[2], "url")
    return ""


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>\s*(.*?)\s*</{name}>", text, re.DOTALL)
    return found.group(1) if found else ""


def _answers(url: str) -> bool:
    if not url.startswith(("https://", "http://")):
        return False
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/{PROBE}", timeout=PROBE_SECONDS) as answer:
            return b"<metadata" in answer.read(4096)
    except (OSError, ValueError) as error:
        log.debug("maven: %s does not answer: %s", url, error)
        return False
