"""What builds on this machine fetched before, as a layer of the build image: `/root/.m2/repository`, filled.

The files come from the repository again, never from a build's container, so that no build can leave
something for another. A build that asks for more than is there fetches it, and the next image has that, too.
"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gbg_sandbox.machines import cache
from gbg_sandbox.maven.repository import METADATA, Notice, Repository

HOME = "root/.m2/repository"
TRACKED = "_remote.repositories"
"""Maven's own note of where a file came from; it fetches again what has none"""
MIRROR_ID = "mirror"
"""of the mirror in the build image's settings.xml"""


class KeptArtifacts:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._source = repository.identity()
        self._list = cache.directory() / f"maven-{cache.fingerprint(self._source)}.txt"

    def add(self, paths: Iterable[str]) -> None:
        """Remember what a build fetched."""
        wanted = {path for path in paths if METADATA not in path and not path.endswith((".sha1", ".md5"))}
        if wanted <= set(self.paths()):
            return
        with self._list.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fresh = self._list.with_suffix(".part")
            fresh.write_text("".join(f"{path}\n" for path in sorted(wanted | set(self.paths()))))
            fresh.replace(self._list)

    def paths(self) -> list[str]:
        return self._list.read_text().splitlines() if self._list.exists() else []

    def layer(self, notice: Notice) -> list[Path]:
        """The layer, if there is one; `notice` is told what in it stands in for something else."""
        paths = self.paths()
        if not paths:
            return []
        recipe = Path(__file__).read_text(encoding="utf-8")
        key = cache.fingerprint(recipe, self._source, *paths)
        tree = cache.tree("maven", key, lambda folder: self._fill(folder, paths))
        for sentence in (tree / "notices").read_text().splitlines():
            notice(sentence)
        return [tree / "layer"]

    def _fill(self, tree: Path, paths: Iterable[str]) -> None:
        notices: list[str] = []
        files: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            content = self._repository.fetch(path, notices.append)
            if content is None:
                continue
            target = tree / "layer" / HOME / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            folder, _, name = path.rpartition("/")
            files[folder].append(name)
        for folder, names in files.items():
            (tree / "layer" / HOME / folder / TRACKED).write_text(
                "".join(f"{name}>{MIRROR_ID}=\n" for name in names)
            )
        (tree / "layer").mkdir(exist_ok=True)
        (tree / "layer/root").chmod(0o700)
        (tree / "notices").write_text("".join(f"{sentence}\n" for sentence in dict.fromkeys(notices)))
