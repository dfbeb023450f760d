"""What is installed: written by dnf, read by rpm. It lies on the disk, so it travels with an image."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATH = "/var/lib/rpm/inventory.json"
CATALOGUE = "/usr/lib/gbg-guest/catalogue.json"


def load() -> dict[str, dict[str, Any]]:
    """name → version (`version-release`), arch, summary, installed (epoch), files of what dnf brought."""
    with open(PATH, encoding="utf-8") as file:
        found: dict[str, dict[str, Any]] = json.load(file)
        return found


def save(packages: dict[str, dict[str, Any]]) -> None:
    with open(f"{PATH}.new", "w", encoding="utf-8") as file:
        json.dump(packages, file, indent=1)
    os.replace(f"{PATH}.new", PATH)


def catalogue() -> dict[str, Any]:
    """releases, and packages: name → versions by release, arch, summary, requires, users."""
    with open(CATALOGUE, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
        return found


def version_in(package: dict[str, Any], release: str) -> str:
    """The version that a release carries."""
    known = [since for since in sorted(package["versions"]) if since <= release]
    return str(package["versions"][known[-1] if known else min(package["versions"])])


def full_name(name: str, package: dict[str, Any]) -> str:
    return f"{name}-{package['version']}.{package['arch']}"


def matches(pattern: str, name: str, package: dict[str, Any]) -> bool:
    """Whether `name`, `name.arch`, `name-version` or the whole label fits a pattern with wildcards."""
    from fnmatch import fnmatchcase

    version = package["version"]
    labels = (
        name,
        f"{name}.{package['arch']}",
        f"{name}-{version.partition('-')[0]}",
        f"{name}-{version}",
        full_name(name, package),
    )
    return any(fnmatchcase(label, pattern) for label in labels)
