"""A project's local cache: folders that the next build finds again, where the project asks for it.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-caching.html#caching-local
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gbg_sandbox.services.codebuild.build_log import BuildLog
from gbg_sandbox.services.codebuild.container import Container
from gbg_sandbox.services.codebuild.state import Build


@dataclass(frozen=True)
class LocalCache:
    folders: tuple[str, ...]
    archive: Path
    build: str

    @classmethod
    def of(cls, build: Build, paths: Sequence[str], archive: Path, log: BuildLog) -> LocalCache | None:
        """The cache of a build whose buildspec names `paths`; None when it or its project wants none."""
        if not paths:
            return None
        cache = build.settings["cache"]
        if cache["type"] != "LOCAL" or "LOCAL_CUSTOM_CACHE" not in cache.get("modes", []):
            log.say("The project has no local custom cache: the buildspec's cache paths are left out")
            return None
        folders = {path.partition("*")[0].rstrip("/") or "/root" for path in paths}
        return cls(tuple(sorted(folders)), archive, build.uuid)

    def restore(self, container: Container, log: BuildLog) -> None:
        if self.archive.is_file():
            container.restore(self.archive.read_bytes())
            log.say(f"Local cache restored: {', '.join(self.folders)}")

    def save(self, container: Container) -> None:
        """Builds at the same time each leave a whole cache; the last one stays."""
        content = container.pack(list(self.folders))
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.archive.with_suffix(f".{self.build}")
        fresh.write_bytes(content)
        fresh.replace(self.archive)
