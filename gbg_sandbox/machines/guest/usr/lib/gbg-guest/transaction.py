"""What dnf changes: which packages a transaction takes, and how their files come to the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import inventory
from init.client import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

REPOSITORY = "amazonlinux"
RELEASE_PACKAGE = "system-release"
MIRRORS = "https://al2023-repos-us-east-1-de612dc2.s3.dualstack.us-east-1.amazonaws.com/core/mirrors"
WIDTH = 80


class Refused(Exception):
    """What dnf prints after `Error: `."""


class System:
    """The installed packages, the known ones, and the release that this call of dnf looks at."""

    def __init__(self, options: dict[str, str], *, quiet: bool, assume_yes: bool) -> None:
        self.installed = inventory.load()
        facts = inventory.catalogue()
        self.known: dict[str, dict[str, Any]] = facts["packages"]
        self.releases: list[str] = facts["releases"]
        self.quiet = quiet
        self.assume_yes = assume_yes
        self.excluded = {name for name in options.get("--exclude", "").split(",") if name}
        self.current = self.installed[RELEASE_PACKAGE]["version"].partition("-")[0]
        self.release = self._release(options.get("--releasever", ""))

    def _release(self, asked: str) -> str:
        if not asked:
            return str(self.current)
        if asked == "latest":
            return str(self.releases[-1])
        if asked not in self.releases:
            raise Refused(
                f"Failed to download metadata for repo '{REPOSITORY}': Cannot prepare internal mirrorlist: "
                f"Status code: 404 for {MIRRORS}/{asked}/x86_64/mirror.list"
            )
        return asked

    def say(self, text: str = "") -> None:
        if not self.quiet:
            print(text)

    def find(self, name: str) -> str | None:
        if name in self.known:
            return name
        for known, package in self.known.items():
            versions = {**package, "version": inventory.version_in(package, self.release)}
            if inventory.matches(name, known, versions):
                return known
        return None

    def with_files(self) -> list[str]:
        return sorted(name for name, package in self.known.items() if package["files"])

    def with_requirements(self, names: Iterable[str]) -> list[str]:
        order: list[str] = []
        for name in names:
            missing = [name for name in self.known[name]["requires"] if name not in self.installed]
            for found in (*self.with_requirements(missing), name):
                if found not in order:
                    order.append(found)
        return order

    def metadata(self) -> None:
        os.makedirs("/var/cache/dnf", exist_ok=True)
        stamp = "/var/cache/dnf/last_makecache"
        if not os.path.exists(stamp):
            self.say("Amazon Linux 2023 repository                     26 MB/s |  52 MB     00:01")
            with open(stamp, "w", encoding="ascii") as file:
                file.write(self.release)
        age = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(os.stat(stamp).st_mtime))
        self.say(f"Last metadata expiration check on {age}.")

    def transact(self, new: list[str], newer: list[str], gone: list[str]) -> None:
        if not gone:
            self.metadata()
        if not (new or newer or gone):
            self.say("Dependencies resolved.\nNothing to do.\nComplete!")
            return
        self._announce(new, newer, gone)
        if not self.assume_yes and not self._agreed():
            raise Refused("Operation aborted.")
        self.say("Running transaction")
        total = len(new) + len(newer) + len(gone)
        for number, name in enumerate((*new, *newer, *gone), 1):
            verb = "Installing" if name in new else "Upgrading" if name in newer else "Erasing"
            if name in gone:
                self._erase(name)
            else:
                self._put(name)
            self.say(f"  {verb:<14}: {name:<50} {number}/{total}")
        for title, names in (("Installed", new), ("Upgraded", newer), ("Removed", gone)):
            if names:
                self.say(f"\n{title}:")
            for name in names:
                package = self.installed.get(name) or self.known[name] | {"version": ""}
                self.say(f"  {inventory.full_name(name, package) if package['version'] else name}")
        self.say("\nComplete!")

    def _announce(self, new: list[str], newer: list[str], gone: list[str]) -> None:
        self.say("Dependencies resolved.\n" + "=" * WIDTH)
        self.say(f" {'Package':<36} {'Arch':<8} {'Version':<28} Repo\n" + "=" * WIDTH)
        for title, names in (("Installing", new), ("Upgrading", newer), ("Removing", gone)):
            if names:
                self.say(f"{title}:")
            for name in names:
                version = self.installed[name]["version"] if name in gone else self.version(name)
                arch = self.known.get(name, self.installed.get(name, {})).get("arch", "x86_64")
                self.say(f" {name:<36} {arch:<8} {version:<28} {REPOSITORY}")
        self.say("\nTransaction Summary\n" + "=" * WIDTH)
        for verb, names in (("Install", new), ("Upgrade", newer), ("Remove", gone)):
            if names:
                self.say(f"{verb:<8} {len(names)} Package{'s' if len(names) > 1 else ''}")
        self.say()

    def _agreed(self) -> bool:
        print("Is this ok [y/N]: ", end="", flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def version(self, name: str) -> str:
        return inventory.version_in(self.known[name], self.release)

    def _put(self, name: str) -> None:
        package = self.known[name]
        files = self.installed.get(name, {}).get("files", [])
        if package["files"] and name not in self.installed:
            for user in package["users"]:
                _add_user(user)
            files = _copy_in(name)
            for user in package["users"]:
                _own(user)
        self.installed[name] = {
            "version": self.version(name),
            "arch": package["arch"],
            "summary": package["summary"],
            "installed": int(time.time()),
            **({"files": files} if files else {}),
        }
        if name == RELEASE_PACKAGE:
            _write_release(self.release)
        inventory.save(self.installed)

    def _erase(self, name: str) -> None:
        for path in self.installed[name].get("files", ()):
            if os.path.lexists(path) and not path.startswith("/etc/"):
                os.unlink(path)
        del self.installed[name]
        inventory.save(self.installed)


def _copy_in(name: str) -> list[str]:
    """Copy a package's tree, which pid 1 hands over as a directory, over the root; the files it brought."""
    answer, descriptors = ask({"do": "package", "name": name})
    if "error" in answer:
        raise Refused(answer["error"])
    (tree,) = descriptors
    here = os.open(".", os.O_RDONLY)
    os.fchdir(tree)
    files = [
        os.path.join(directory, entry)[1:]
        for directory, folders, entries in os.walk(".")
        for entry in (
            *entries,
            *(folder for folder in folders if os.path.islink(os.path.join(directory, folder))),
        )
    ]
    result = subprocess.run(["cp", "-a", "--no-preserve=ownership", ".", "/"], check=False)
    os.fchdir(here)
    os.close(here)
    os.close(tree)
    if result.returncode:
        raise Refused(f"Transaction failed: the files of {name} could not be copied")
    return sorted(files)


def _add_user(user: dict[str, Any]) -> None:
    with open("/etc/passwd", encoding="utf-8") as file:
        if any(line.startswith(f"{user['name']}:") for line in file):
            return
    name, number = user["name"], user["uid"]
    _append("/etc/passwd", f"{name}:x:{number}:{number}:{name}:{user['home']}:/sbin/nologin\n")
    _append("/etc/group", f"{name}:x:{number}:\n")
    _append("/etc/shadow", f"{name}:!!:20270::::::\n")
    _append("/etc/gshadow", f"{name}:!::\n")


def _append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)


def _own(user: dict[str, Any]) -> None:
    for root in user["owns"]:
        os.makedirs(root, exist_ok=True)
        os.chown(root, user["uid"], user["uid"])
        for directory, folders, files in os.walk(root):
            for entry in (*folders, *files):
                os.lchown(os.path.join(directory, entry), user["uid"], user["uid"])


def _write_release(release: str) -> None:
    for path in ("/etc/os-release", "/etc/system-release"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        old = next(word.strip('"') for word in text.split() if word.strip('"').startswith("2023."))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, release))
