"""Where a build's artifacts come from: Maven Central where it answers, else the host's Debian packages.

Debian's repository holds one version of most things. For a version that it lacks the nearest one is given
under the wanted name, and whoever asked is told; a build that needs more than that fails as Maven fails.
"""

from __future__ import annotations

import hashlib
import io
import re
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gbg_sandbox.machines import cache
from gbg_sandbox.maven.versions import nearest, sort_key

DEBIAN_ROOT = Path("/usr/share/maven-repo")
PLUGIN_DESCRIPTOR = "META-INF/maven/plugin.xml"
METADATA = "maven-metadata.xml"

Notice = Callable[[str], None]
"""told of each substitution, in a sentence"""


class Repository(Protocol):
    """Files by their path below the repository's root."""

    def fetch(self, path: str, notice: Notice) -> bytes | None:
        """None when there is no such file. Raises OSError when the repository does not answer."""

    def identity(self) -> str:
        """Another one when the same path may give another file."""


class CentralRepository:
    """A repository on the network, as it is; what was fetched once is kept."""

    def __init__(self, url: str, kept: Path) -> None:
        self._url = url.rstrip("/")
        self._kept = kept

    def fetch(self, path: str, notice: Notice) -> bytes | None:
        kept = self._kept / path
        if kept.is_file():
            return kept.read_bytes()
        try:
            with urllib.request.urlopen(f"{self._url}/{path}", timeout=60) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        if METADATA not in path:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(content)
        return content

    def identity(self) -> str:
        return self._url


class DebianRepository:
    """Debian's packaged artifacts as Maven Central would offer them."""

    def __init__(self, root: Path = DEBIAN_ROOT) -> None:
        self._root = root

    def fetch(self, path: str, notice: Notice) -> bytes | None:
        base, hashed = (path.removesuffix(".sha1"), True) if path.endswith(".sha1") else (path, False)
        content = self._file(base, notice if not hashed else _quiet)
        if content is None or not hashed:
            return content
        return hashlib.sha1(content, usedforsecurity=False).hexdigest().encode()

    def identity(self) -> str:
        return f"{self._root} {cache.tree_fingerprint([self._root])}"

    def _file(self, path: str, notice: Notice) -> bytes | None:
        if path.endswith(METADATA):
            return self._metadata(path.removesuffix(METADATA).strip("/"))
        exact = self._root / path
        if exact.is_file():
            return exact.read_bytes()
        return self._nearest(path, notice)

    def _nearest(self, path: str, notice: Notice) -> bytes | None:
        """The wanted file's contents from another version of the artifact."""
        fields = path.split("/")
        if len(fields) < 4:
            return None
        *group, artifact, wanted, file = fields
        folder = self._root.joinpath(*group, artifact)
        suffix = file.removeprefix(f"{artifact}-{wanted}")
        if suffix == file or not folder.is_dir():
            return None
        holders = [one.name for one in folder.iterdir() if (one / f"{artifact}-{one.name}{suffix}").is_file()]
        given = nearest(wanted, holders)
        if given is None:
            return None
        content = (folder / given / f"{artifact}-{given}{suffix}").read_bytes()
        if suffix == ".jar":
            content = _with_descriptor_version(content, wanted)
        if suffix == ".pom":
            notice(f"{'.'.join(group)}:{artifact}:{wanted} is not at hand; Debian's {given} is used")
        return content

    def _metadata(self, path: str) -> bytes | None:
        """The versions of an artifact, or a group's plugins by their prefixes."""
        folder = self._root / path
        if not folder.is_dir():
            return None
        root = ElementTree.Element("metadata")
        versions = sorted((one.parent.name for one in folder.glob("*/*.pom")), key=sort_key)
        if versions:
            group, _, artifact = path.replace("/", ".").rpartition(".")
            ElementTree.SubElement(root, "groupId").text = group
            ElementTree.SubElement(root, "artifactId").text = artifact
            versioning = ElementTree.SubElement(root, "versioning")
            ElementTree.SubElement(versioning, "release").text = versions[-1]
            listed = ElementTree.SubElement(versioning, "versions")
            for version in versions:
                ElementTree.SubElement(listed, "version").text = version
        else:
            plugins = ElementTree.SubElement(root, "plugins")
            for artifact in sorted(one.name for one in folder.iterdir() if "plugin" in one.name):
                plugin = ElementTree.SubElement(plugins, "plugin")
                ElementTree.SubElement(plugin, "name").text = artifact
                ElementTree.SubElement(plugin, "prefix").text = re.sub(r"-?maven-?|-?plugin-?", "", artifact)
                ElementTree.SubElement(plugin, "artifactId").text = artifact
        return ElementTree.tostring(root, encoding="unicode").encode()


def _quiet(_: str) -> None:
    """The hash of a file that was told of already."""


def _with_descriptor_version(jar: bytes, version: str) -> bytes:
    """Maven refuses a plugin whose descriptor names another version than was asked for."""
    with zipfile.ZipFile(io.BytesIO(jar)) as archive:
        if PLUGIN_DESCRIPTOR not in archive.namelist():
            return jar
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as copy:
            for info in archive.infolist():
                content = archive.read(info)
                if info.filename == PLUGIN_DESCRIPTOR:
                    content = re.sub(
                        rb"(</artifactId>\s*<version>)[^<]*", rb"\g<1>" + version.encode(), content, count=1
                    )
                copy.writestr(info, content)
    return made.getvalue()
