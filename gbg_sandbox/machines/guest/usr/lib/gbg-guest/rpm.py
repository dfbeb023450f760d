"""rpm: queries of the inventory. Installing is dnf's work; verifying and building are refused."""

from __future__ import annotations

import re
import sys
import time

import inventory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FLAGS = {"a": "all", "i": "info", "l": "list", "f": "file", "R": "requires", "q": "query"}


def main(arguments: Sequence[str]) -> int:
    modes: set[str] = set()
    names: list[str] = []
    form = ""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("--qf", "--queryformat"):
            form = rest.pop(0)
        elif word.startswith(("--qf=", "--queryformat=")):
            form = word.partition("=")[2]
        elif word == "--version":
            print("RPM version 4.16.1.3")
            return 0
        elif word == "--import" or word == "--quiet":
            modes.add(word)
        elif word.startswith("--"):
            modes.add(word[2:])
        elif word.startswith("-"):
            modes |= {FLAGS.get(letter, f"-{letter}") for letter in word[1:]}
        else:
            names.append(word)
    if "query" not in modes:
        print("rpm: only queries (-q) are run in this machine; install with dnf", file=sys.stderr)
        return 1
    return _query(modes, names, form)


def _query(modes: set[str], names: Sequence[str], form: str) -> int:
    installed = inventory.load()
    if "all" in modes:
        patterns = list(names) or ["*"]
        for name, package in installed.items():
            if any(inventory.matches(pattern, name, package) for pattern in patterns):
                _print(name, package, modes, form)
        return 0
    missing = 0
    for wanted in names:
        found = _by_file(installed, wanted) if "file" in modes else _by_name(installed, wanted)
        if not found:
            what = (
                f"file {wanted} is not owned by any package"
                if "file" in modes
                else f"package {wanted} is not installed"
            )
            print(what)
            missing += 1
        for name in found:
            _print(name, installed[name], modes, form)
    return missing


def _by_name(installed: dict[str, Any], wanted: str) -> list[str]:
    return [name for name, package in installed.items() if inventory.matches(wanted, name, package)]


def _by_file(installed: dict[str, Any], path: str) -> list[str]:
    return [name for name, package in installed.items() if path in package.get("files", ())]


def _print(name: str, package: dict[str, Any], modes: set[str], form: str) -> None:
    if form:
        sys.stdout.write(_formatted(name, package, form))
    elif "list" in modes:
        print("\n".join(package.get("files", ())) or "(contains no files)")
    elif "info" in modes:
        version, _dash, release = package["version"].rpartition("-")
        moment = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(package["installed"]))
        print(f"Name        : {name}\nVersion     : {version}\nRelease     : {release}")
        print(f"Architecture: {package['arch']}\nInstall Date: {moment}\nSummary     : {package['summary']}")
    else:
        print(inventory.full_name(name, package))


def _formatted(name: str, package: dict[str, Any], form: str) -> str:
    version, _dash, release = package["version"].rpartition("-")
    tags = {
        "NAME": name,
        "VERSION": version,
        "RELEASE": release,
        "ARCH": package["arch"],
        "EVR": package["version"],
        "NVR": f"{name}-{package['version']}",
        "NVRA": inventory.full_name(name, package),
        "NEVRA": inventory.full_name(name, package),
        "SUMMARY": package["summary"],
        "INSTALLTIME": str(int(package["installed"])),
        "EPOCH": "(none)",
        "VENDOR": "Amazon Linux",
    }
    text = re.sub(r"%(-?\d*)\{([^}:]+)(?::[^}]*)?\}", lambda match: _padded(tags, match[1], match[2]), form)
    return text.encode().decode("unicode_escape")


def _padded(tags: dict[str, str], width: str, tag: str) -> str:
    if tag.upper() not in tags:
        sys.exit(f'error: incorrect format: unknown tag: "{tag}"')
    value = tags[tag.upper()]
    if not width:
        return value
    return value.ljust(int(width[1:])) if width.startswith("-") else value.rjust(int(width))
