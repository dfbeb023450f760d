"""dnf as on Amazon Linux 2023: releases are locked, an update needs --releasever.

https://docs.aws.amazon.com/linux/al2023/ug/deterministic-upgrades-usage.html
"""

from __future__ import annotations

import os
import sys

import inventory
from transaction import REPOSITORY, Refused, System

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VALUE_OPTIONS = {
    *(
        "--releasever",
        "-x",
        "--exclude",
        "--enablerepo",
        "--disablerepo",
        "--setopt",
        "-c",
        "--installroot",
        "--repo",
    )
}
QUIET_FLAGS = {
    *(
        "-y",
        "--assumeyes",
        "-q",
        "--quiet",
        "--refresh",
        "--best",
        "--allowerasing",
        "--nogpgcheck",
        "--skip-broken",
    )
}


class Dnf(System):
    def install(self, names: Sequence[str]) -> None:
        wanted, unknown = [], False
        for name in names:
            found = self.find(name.rpartition("/")[2].removesuffix(".rpm"))
            if found is None and name.endswith(".rpm"):
                there = ", ".join(self.with_files())
                raise Refused(f"gbg_sandbox has no package file {name}; its catalogue has {there}")
            if found is None:
                print(f"No match for argument: {name}")
                unknown = True
            elif found in self.installed:
                self.say(f"Package {inventory.full_name(found, self.installed[found])} is already installed.")
            else:
                wanted.append(found)
        if unknown:
            raise Refused(
                f"Unable to find a match: {' '.join(name for name in names if self.find(name) is None)}"
            )
        order = self.with_requirements(wanted)
        self.transact(order, [], [])

    def upgrade(self, names: Sequence[str]) -> None:
        if self.release < self.current:
            raise Refused(f"release {self.release} is older than {self.current}, which is installed")
        chosen = list(names) or list(self.installed)
        unknown = [name for name in names if self.find(name) not in self.installed]
        if unknown:
            raise Refused(f"No packages marked for upgrade: {' '.join(unknown)}")
        found = [self.find(name) for name in chosen]
        newer = [
            name
            for name in found
            if name in self.known
            and name not in self.excluded
            and inventory.version_in(self.known[name], self.release) != self.installed[name]["version"]
        ]
        self.transact([], [name for name in newer if name], [])

    def remove(self, names: Sequence[str]) -> None:
        gone = [name for name in names if name in self.installed]
        for name in set(names) - set(gone):
            print(f"No match for argument: {name}")
        needing = [
            name
            for name in self.installed
            if name not in gone and set(self.known.get(name, {}).get("requires", ())) & set(gone)
        ]
        self.transact([], [], gone + needing)

    def show(self, names: Sequence[str]) -> None:
        for name in names:
            found = self.find(name)
            if found is None:
                raise Refused("No matching Packages to list")
            package = self.known[found]
            version, _dash, release = inventory.version_in(package, self.release).rpartition("-")
            print(f"Name         : {found}\nVersion      : {version}\nRelease      : {release}")
            print(f"Architecture : {package['arch']}\nRepository   : {REPOSITORY}")
            print(f"Summary      : {package['summary']}\n")

    def listing(self, words: Sequence[str]) -> None:
        kind = words[0] if words and words[0] in ("installed", "available", "updates", "--installed") else ""
        kind = "installed" if kind == "--installed" else kind
        patterns = list(words[1:] if kind else words) or ["*"]
        shown = 0
        for title, packages in self._lists(kind):
            chosen = {
                name: package
                for name, package in packages.items()
                if any(inventory.matches(pattern, name, package) for pattern in patterns)
            }
            if chosen:
                print(title)
            for name, package in sorted(chosen.items()):
                origin = "@System" if title.startswith("Installed") else REPOSITORY
                print(f"{name + '.' + package['arch']:<45} {package['version']:<30} {origin}")
            shown += len(chosen)
        if not shown:
            raise Refused("No matching Packages to list")

    def _lists(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        available = {
            name: {**package, "version": inventory.version_in(package, self.release)}
            for name, package in self.known.items()
            if name not in self.installed
        }
        updates = {
            name: {**self.known[name], "version": inventory.version_in(self.known[name], self.release)}
            for name in self.installed
            if name in self.known
            and inventory.version_in(self.known[name], self.release) != self.installed[name]["version"]
        }
        lists = {
            "installed": ("Installed Packages", self.installed),
            "available": ("Available Packages", available),
            "updates": ("Available Upgrades", updates),
        }
        return [lists[kind]] if kind else [lists["installed"], lists["available"]]

    def check_release_update(self, _names: Sequence[str]) -> None:
        newer = [release for release in self.releases if release > self.current]
        if not newer:
            return
        print('WARNING:\n  A newer release of "Amazon Linux" is available.\n\n  Available Versions:\n')
        for release in newer:
            print(f"  Version {release}:\n    Run the following command to upgrade to {release}:\n")
            print(f"      dnf upgrade --releasever={release}\n")
            print("    Release notes:")
            print(f"     https://docs.aws.amazon.com/linux/al2023/release-notes/relnotes-{release}.html\n")

    def check_update(self, _names: Sequence[str]) -> None:
        (_title, updates), *_rest = self._lists("updates")
        for name, package in sorted(updates.items()):
            print(f"{name + '.' + package['arch']:<45} {package['version']:<30} {REPOSITORY}")
        if updates:
            sys.exit(100)

    def clean(self, _names: Sequence[str]) -> None:
        count = 0
        for directory, _folders, files in os.walk("/var/cache/dnf"):
            for name in files:
                os.unlink(f"{directory}/{name}")
                count += 1
        print(f"{count} files removed")

    def makecache(self, _names: Sequence[str]) -> None:
        self.metadata()
        self.say("Metadata cache created.")

    def repolist(self, _names: Sequence[str]) -> None:
        print(f"{'repo id':<30} repo name\n{REPOSITORY:<30} Amazon Linux 2023 repository")

    def repoquery(self, names: Sequence[str]) -> None:
        for name in names or sorted(self.known):
            found = self.find(name)
            if found:
                package = self.known[found]
                print(
                    inventory.full_name(
                        found, {**package, "version": inventory.version_in(package, self.release)}
                    )
                )


VERBS = {
    "install": Dnf.install,
    "upgrade": Dnf.upgrade,
    "update": Dnf.upgrade,
    "upgrade-minimal": Dnf.upgrade,
    "remove": Dnf.remove,
    "erase": Dnf.remove,
    "info": Dnf.show,
    "list": Dnf.listing,
    "check-release-update": Dnf.check_release_update,
    "check-update": Dnf.check_update,
    "clean": Dnf.clean,
    "makecache": Dnf.makecache,
    "repolist": Dnf.repolist,
    "repoquery": Dnf.repoquery,
}
NEED_ROOT = ("install", "upgrade", "update", "upgrade-minimal", "remove", "erase", "clean")


def main(arguments: Sequence[str]) -> int:
    options: dict[str, str] = {}
    flags: set[str] = set()
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in VALUE_OPTIONS:
            options["--exclude" if name == "-x" else name] = value if equals else rest.pop(0)
        elif word.startswith("-") and word != "--installed":
            flags |= {f"-{letter}" for letter in word[1:]} if not word.startswith("--") else {word}
        else:
            words.append(word)
    if "--version" in flags:
        print("4.14.0")
        return 0
    verb, *names = words or ["help"]
    if verb not in VERBS:
        print(f"No such command: {verb}. Please use /usr/bin/dnf --help", file=sys.stderr)
        return 1
    if verb in ("install", "remove", "erase") and not names:
        print(f"usage: dnf {verb} PACKAGE [PACKAGE ...]\ndnf {verb}: error: packages are missing")
        return 1
    if verb in NEED_ROOT and os.geteuid() != 0:
        print("Error: This command has to be run with superuser privileges.")
        return 1
    unknown = {flag for flag in flags if flag not in QUIET_FLAGS}
    if unknown:
        print(f"dnf: error: unrecognized arguments: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    try:
        tool = Dnf(
            options, quiet=bool(flags & {"-q", "--quiet"}), assume_yes=bool(flags & {"-y", "--assumeyes"})
        )
        VERBS[verb](tool, names)
    except Refused as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0
