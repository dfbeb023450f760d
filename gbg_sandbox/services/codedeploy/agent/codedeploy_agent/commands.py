"""What the service can ask of a host: one command a lifecycle event."""

from __future__ import annotations

from collections.abc import Callable

from . import appspec, archive, installer
from .archive import Download, Revisions
from .hooks import Hooks
from .settings import Settings
from .specification import Specification


class Executor:
    """`get_object` is how bundles are fetched: bucket, key, version → answer."""

    def __init__(self, settings: Settings, get_object: Callable[..., Download]) -> None:
        self._settings = settings
        self._get_object = get_object
        self.revisions = Revisions(settings)

    def execute(self, name: str, spec: Specification) -> str:
        """Gives the tail of the scripts' output. Raises EventFailed, or whatever went wrong."""
        if name == "DownloadBundle":
            archive.download(spec, self.revisions, self._get_object)
            return ""
        if name == "Install":
            self._install(spec)
            return ""
        if name in appspec.SCRIPTED:
            return Hooks(spec, self.revisions, self._settings.root_dir).run(name)
        raise ValueError(f"Unsupported command type: {name}.")

    def _install(self, spec: Specification) -> None:
        directory = self.revisions.archive(spec)
        found = appspec.read(directory)
        found.check_events(spec.events)
        installer.install(found, directory, self._settings.instructions_dir, spec.group_id, spec.file_exists)
        self.revisions.installed(spec)
