"""DownloadBundle: the revision from S3 into the deployment's directory."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .settings import Settings
from .specification import Specification

FILTER: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
"""Python knows filters since 3.11.4"""


class Download(Protocol):
    """Shape of `instance_aws.get_object`'s answer."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Revisions:
    """The revisions kept on this host, and which one was installed when."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def directory(self, spec: Specification) -> str:
        return self._settings.deployment_dir(spec.group_id, spec.deployment_id)

    def archive(self, spec: Specification) -> str:
        return os.path.join(self.directory(spec), "deployment-archive")

    def last_successful(self, group_id: str) -> str:
        return self._pointer(group_id, "last_successful_install")

    def most_recent(self, group_id: str) -> str:
        return self._pointer(group_id, "most_recent_install")

    def downloaded(self, spec: Specification) -> None:
        self._point(spec, "most_recent_install")

    def installed(self, spec: Specification) -> None:
        self._point(spec, "last_successful_install")

    def prune(self, spec: Specification) -> None:
        """Keep `max_revisions`; the last successful one is never removed."""
        parent = os.path.dirname(self.directory(spec))
        kept = {self.directory(spec), self.last_successful(spec.group_id)}
        if not os.path.isdir(parent):
            return
        found = [os.path.join(parent, name) for name in os.listdir(parent)]
        extra = (
            len([one for one in found if one != self.directory(spec)]) - int(self._settings.max_revisions) + 1
        )
        old = sorted((one for one in found if one not in kept), key=os.path.getmtime)
        for directory in old[: max(extra, 0)]:
            shutil.rmtree(directory)

    def _file(self, group_id: str, name: str) -> str:
        return os.path.join(self._settings.instructions_dir, f"{group_id}_{name}")

    def _pointer(self, group_id: str, name: str) -> str:
        try:
            with open(self._file(group_id, name), encoding="utf-8") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def _point(self, spec: Specification, name: str) -> None:
        os.makedirs(self._settings.instructions_dir, exist_ok=True)
        with open(self._file(spec.group_id, name), "w", encoding="utf-8") as file:
            file.write(self.directory(spec))


def download(spec: Specification, revisions: Revisions, get: Callable[..., Download]) -> None:
    """Fetch and unpack the bundle. `get(bucket, key, version=)` raises with S3's words."""
    revisions.prune(spec)
    os.makedirs(revisions.directory(spec), exist_ok=True)
    answer = get(spec.bucket, spec.key, version=spec.version)
    etag = answer.headers.get("etag", "").strip('"')
    if spec.etag and spec.etag != etag:
        raise RuntimeError(f"Expected deployment artifact bundle etag {spec.etag} but was actually {etag}")
    bundle = os.path.join(revisions.directory(spec), "bundle.tar")
    with open(bundle, "wb") as file:
        file.write(answer.body)
    shutil.rmtree(revisions.archive(spec), ignore_errors=True)
    unpack(bundle, spec.bundle_type, revisions.archive(spec))
    revisions.downloaded(spec)


def unpack(bundle: str, bundle_type: str, into: str) -> None:
    os.makedirs(into)
    if bundle_type == "zip":
        _unzip(bundle, into)
    else:
        with tarfile.open(bundle, "r:gz" if bundle_type == "tgz" else "r:") as archive:
            archive.extractall(into, **FILTER)
    _strip_leading_directory(into)


def _unzip(bundle: str, into: str) -> None:
    """Like `unzip`: modes and symbolic links are kept, and nothing lands outside."""
    with zipfile.ZipFile(bundle) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            _refuse_outside(into, member.filename)
            if stat.S_ISLNK(mode):
                target = os.path.join(into, member.filename)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.symlink(archive.read(member).decode(), target)
                continue
            path = archive.extract(member, into)
            if stat.S_IMODE(mode):
                os.chmod(path, stat.S_IMODE(mode))


def _refuse_outside(into: str, name: str) -> None:
    """Neither by its name, nor through a symbolic link that came before it."""
    home = os.path.realpath(into)
    place = os.path.realpath(os.path.join(into, os.path.dirname(name.rstrip("/"))))
    if os.path.isabs(name) or ".." in name.split("/") or os.path.commonpath([home, place]) != home:
        raise RuntimeError(f"The bundle's member {name} lies outside of the deployment archive")


def _strip_leading_directory(into: str) -> None:
    """A bundle with one directory at its top that has the AppSpec file is that directory."""
    names = os.listdir(into)
    top = os.path.join(into, names[0]) if len(names) == 1 else ""
    if not top or not os.path.isdir(top) or not any("appspec" in name.lower() for name in os.listdir(top)):
        return
    aside = into + "-temp"
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(into, aside)
    os.rename(os.path.join(aside, names[0]), into)
    os.rmdir(aside)
