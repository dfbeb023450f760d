"""The package catalogue: which Amazon Linux 2023 package a release has, and where its files come from.

The file `packages/catalogue.yaml` says it; the machines' `dnf` and `rpm` read the same facts as JSON.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PACKAGES = Path(__file__).parent / "packages"
INVENTORY = "/var/lib/rpm/inventory.json"
"""what is installed, in a machine: name → {version, arch, files, …}"""


class UnknownPackageError(LookupError):
    """The catalogue has no package of this name."""


@dataclass(frozen=True)
class Copy:
    """Files of the host that belong to a package; symbolic links are followed."""

    source: str
    target: str
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    name: str
    versions: dict[str, str]
    arch: str = "x86_64"
    summary: str = ""
    source: bool = False
    """installed on the source image"""
    requires: tuple[str, ...] = ()
    debian: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    programs: tuple[str, ...] = ()
    tree: str = ""
    links: dict[str, str] = field(default_factory=dict)
    users: tuple[dict[str, Any], ...] = ()

    @property
    def has_files(self) -> bool:
        return bool(self.copies or self.programs or self.tree or self.links)

    def version(self, release: str) -> str:
        """The version that a release carries: the newest entry not after it."""
        known = [since for since in sorted(self.versions) if since <= release]
        return self.versions[known[-1] if known else min(self.versions)]


@dataclass(frozen=True)
class Catalogue:
    releases: tuple[str, ...]
    packages: dict[str, Package]

    @property
    def source_release(self) -> str:
        """The release of the source image: the oldest, so that an update has something to do."""
        return self.releases[0]

    def package(self, name: str) -> Package:
        if name not in self.packages:
            raise UnknownPackageError(f"no package {name} in the catalogue of the sandbox")
        return self.packages[name]

    def with_requirements(self, names: list[str]) -> list[Package]:
        """The packages and all that they require, requirements first."""
        found: dict[str, Package] = {}

        def add(name: str) -> None:
            package = self.package(name)
            for required in package.requires:
                if required not in found:
                    add(required)
            found.setdefault(name, package)

        for name in names:
            add(name)
        return list(found.values())

    def for_machines(self) -> bytes:
        """The facts that `dnf` needs inside a machine, as JSON."""
        packages = {
            package.name: {
                "versions": package.versions,
                "arch": package.arch,
                "summary": package.summary or package.name,
                "requires": package.requires,
                "files": package.has_files,
                "users": package.users,
            }
            for package in self.packages.values()
        }
        return json.dumps({"releases": self.releases, "packages": packages}, indent=1).encode()

    def source_inventory(self) -> bytes:
        """The inventory of the source image."""
        installed = {
            package.name: {
                "version": package.version(self.source_release),
                "arch": package.arch,
                "summary": package.summary or package.name,
                "installed": 0,
            }
            for package in self.packages.values()
            if package.source
        }
        return json.dumps(installed, indent=1).encode()


def release_files(release: str) -> dict[str, str]:
    """Files of the package system-release."""
    return {
        "/etc/system-release": f"Amazon Linux release {release} (Amazon Linux)\n",
        "/etc/os-release": "\n".join(
            (
                'NAME="Amazon Linux"',
                'VERSION="2023"',
                'ID="amzn"',
                'ID_LIKE="fedora"',
                'VERSION_ID="2023"',
                'PLATFORM_ID="platform:al2023"',
                f'PRETTY_NAME="Amazon Linux {release}"',
                'ANSI_COLOR="0;33"',
                'CPE_NAME="cpe:2.3:o:amazon:amazon_linux:2023"',
                'HOME_URL="https://aws.amazon.com/linux/amazon-linux-2023/"',
                'VENDOR_NAME="AWS"',
                'VENDOR_URL="https://aws.amazon.com/"',
                "",
            )
        ),
    }


def _package(name: str, entry: dict[str, Any]) -> Package:
    copies = tuple(
        Copy(copy["from"], copy["to"], tuple(copy.get("exclude", ()))) for copy in entry.get("copy", ())
    )
    return Package(
        name=name,
        versions={str(release): str(version) for release, version in entry["versions"].items()},
        arch=entry.get("arch", "x86_64"),
        summary=entry.get("summary", ""),
        source=entry.get("source", False),
        requires=tuple(entry.get("requires", ())),
        debian=tuple(entry.get("debian", ())),
        copies=copies,
        programs=tuple(entry.get("programs", ())),
        tree=entry.get("tree", ""),
        links=entry.get("links", {}),
        users=tuple(entry.get("users", ())),
    )


@functools.cache
def load() -> Catalogue:
    with (PACKAGES / "catalogue.yaml").open(encoding="utf-8") as file:
        content = yaml.safe_load(file)
    packages = {name: _package(name, entry) for name, entry in content["packages"].items()}
    return Catalogue(tuple(content["releases"]), packages)
