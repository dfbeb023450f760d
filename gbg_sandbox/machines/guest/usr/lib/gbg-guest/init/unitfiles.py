"""Unit files: where they lie, what they say, how they are enabled.

Follows https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html; keys that need cgroups or
sandboxing are read and have no effect here.
"""

from __future__ import annotations

import os
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
ENABLED_IN = "/etc/systemd/system"
TRUE = ("1", "yes", "true", "on")
UNITS_OF_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "": 1}
TARGETS = {
    "default.target": "multi-user.target",
    "runlevel3.target": "multi-user.target",
    "graphical.target": "multi-user.target",
}


class UnitError(Exception):
    """A unit file can't be used; the text says which line and why."""


class NoSuchUnitError(UnitError):
    pass


class MaskedError(UnitError):
    pass


def full_name(name: str) -> str:
    name = (
        name
        if "." in name and name.rpartition(".")[2] in ("service", "target", "socket", "timer")
        else f"{name}.service"
    )
    return TARGETS.get(name, name)


def find(name: str) -> str | None:
    """The path of a unit's file, after templates (`app@blue.service` → `app@.service`)."""
    stem, at, rest = name.partition("@")
    template = f"{stem}@.{rest.rpartition('.')[2]}" if at else ""
    for directory in DIRECTORIES:
        for candidate in (name, template):
            path = f"{directory}/{candidate}"
            if candidate and (os.path.exists(path) or os.path.islink(path)):
                return path
    return None


def names() -> list[str]:
    found = set()
    for directory in DIRECTORIES:
        if os.path.isdir(directory):
            found |= {entry for entry in os.listdir(directory) if entry.endswith((".service", ".target"))}
    return sorted(found)


def _drop_ins(name: str) -> Iterator[str]:
    found: dict[str, str] = {}
    for directory in reversed(DIRECTORIES):
        folder = f"{directory}/{name}.d"
        if os.path.isdir(folder):
            found |= {entry: f"{folder}/{entry}" for entry in os.listdir(folder) if entry.endswith(".conf")}
    for entry in sorted(found):
        yield found[entry]


def _lines(path: str) -> Iterator[tuple[int, str]]:
    with open(path, encoding="utf-8", errors="replace") as file:
        pending = ""
        for number, raw in enumerate(file, 1):
            line = raw.rstrip("\n")
            if not pending and line.lstrip().startswith(("#", ";")):
                continue
            if line.endswith("\\"):
                pending += line[:-1] + " "
                continue
            yield number, (pending + line).strip()
            pending = ""


class Unit:
    """One unit with its drop-ins. Values are lists in the order written; an empty assignment clears."""

    def __init__(self, name: str) -> None:
        path = find(name)
        if path is None:
            raise NoSuchUnitError(f"Unit {name} could not be found.")
        if os.path.realpath(path) == "/dev/null":
            raise MaskedError(f"Unit {name} is masked.")
        self.path = path
        self.name = os.path.basename(os.path.realpath(path)) if "@" not in name else name
        self.drop_ins = list(_drop_ins(self.name))
        self._values: dict[tuple[str, str], list[str]] = {}
        for source in (path, *self.drop_ins):
            self._read(source)

    def _read(self, path: str) -> None:
        section = ""
        for number, line in _lines(path):
            if not line:
                continue
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                continue
            key, equals, value = line.partition("=")
            if not equals:
                raise UnitError(f"{path}:{number}: Missing '=', ignoring line.")
            values = self._values.setdefault((section, key.strip()), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()

    def expand(self, text: str) -> str:
        """Specifiers: %n %N %p %i %I %t %%."""
        stem = self.name.rpartition(".")[0]
        prefix, _at, instance = stem.partition("@")
        for mark, value in {
            "n": self.name,
            "N": stem,
            "p": prefix,
            "i": instance,
            "I": instance,
            "t": "/run",
        }.items():
            text = text.replace(f"%{mark}", value)
        return text.replace("%%", "%")

    def all(self, section: str, key: str) -> list[str]:
        return [self.expand(value) for value in self._values.get((section, key), [])]

    def last(self, section: str, key: str, default: str = "") -> str:
        values = self.all(section, key)
        return values[-1] if values else default

    def words(self, section: str, key: str) -> list[str]:
        return [word for value in self.all(section, key) for word in shlex.split(value)]

    def service(self, key: str, default: str = "") -> str:
        return self.last("Service", key, default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.service(key)
        return value.lower() in TRUE if value else default

    def seconds(self, key: str, default: float) -> float:
        return duration(self.service(key), default)

    @property
    def description(self) -> str:
        return self.last("Unit", "Description", self.name)

    def related(self, *keys: str) -> list[str]:
        return [full_name(word) for key in keys for word in self.words("Unit", key)]

    def wanted(self) -> list[str]:
        """Units that start along with this one, the enabled ones of a target among them."""
        linked = []
        for directory in DIRECTORIES:
            for kind in ("wants", "requires"):
                folder = f"{directory}/{self.name}.{kind}"
                if os.path.isdir(folder):
                    linked += sorted(os.listdir(folder))
        return self.related("Requires", "Requisite", "BindsTo", "Wants") + [
            full_name(name) for name in linked
        ]


def duration(text: str, default: float) -> float:
    """`90`, `1min 30s`, `infinity` in seconds."""
    if not text:
        return default
    if text == "infinity":
        return float("inf")
    total = 0.0
    for word in text.split():
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        total += float(number) * UNITS_OF_TIME[word[len(number) :]]
    return total


def links(unit: Unit) -> list[str]:
    """The symbolic links that enabling a unit makes."""
    made = [
        f"{ENABLED_IN}/{full_name(target)}.wants/{unit.name}" for target in unit.words("Install", "WantedBy")
    ]
    made += [
        f"{ENABLED_IN}/{full_name(target)}.requires/{unit.name}"
        for target in unit.words("Install", "RequiredBy")
    ]
    return made + [f"{ENABLED_IN}/{alias}" for alias in unit.words("Install", "Alias")]


def enabled_state(name: str) -> str:
    """enabled, disabled, static, masked; raises NoSuchUnitError."""
    try:
        unit = Unit(name)
    except MaskedError:
        return "masked"
    wanted = links(unit)
    if not wanted:
        return "static"
    return "enabled" if any(os.path.islink(link) for link in wanted) else "disabled"


def enable(name: str) -> list[str]:
    """Make the links; the ones that are new. Raises UnitError."""
    unit = Unit(name)
    made = []
    for link in links(unit):
        if os.path.islink(link):
            continue
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(unit.path, link)
        made.append(link)
    return made


def disable(name: str) -> list[str]:
    """Remove every link to the unit; the ones that were there. Raises NoSuchUnitError."""
    unit_name = Unit(name).name
    removed = []
    for directory, _folders, _files in os.walk(ENABLED_IN):
        for entry in os.listdir(directory):
            link = f"{directory}/{entry}"
            in_wants = directory.endswith((".wants", ".requires")) and entry == unit_name
            alias = os.path.islink(link) and os.path.basename(os.path.realpath(link)) == unit_name
            if os.path.islink(link) and (in_wants or alias):
                os.unlink(link)
                removed.append(link)
    return removed
