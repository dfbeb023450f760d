"""appspec.yml of an EC2 deployment.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

NAMES = ("appspec.yml", "appspec.yaml")
SCRIPTED = frozenset(
    (
        "BeforeBlockTraffic",
        "AfterBlockTraffic",
        "ApplicationStop",
        "BeforeInstall",
        "AfterInstall",
        "ApplicationStart",
        "ValidateService",
        "BeforeAllowTraffic",
        "AfterAllowTraffic",
    )
)
"""events that a hook may be written for"""
LONGEST_SECONDS = 3600
"""all scripts of one event together"""
BEHAVIOURS = ("DISALLOW", "OVERWRITE", "RETAIN")
TYPES = ("file", "directory")
MISSING = (
    "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at "
    'revision-relative path "appspec.yml". The revision was unpacked to directory "{directory}", and the '
    'AppSpec file was expected but not found at path "{directory}/appspec.yml". Consult the AWS CodeDeploy '
    "Appspec documentation for more information at "
    "http://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html"
)


class AppSpecError(Exception):
    """The application specification file can't be used."""


@dataclass(frozen=True)
class Script:
    location: str
    timeout: int = LONGEST_SECONDS
    runas: str = ""
    sudo: bool = False


@dataclass(frozen=True)
class FileMapping:
    source: str
    destination: str


@dataclass(frozen=True)
class Permission:
    object: str
    pattern: str = "**"
    exceptions: tuple[str, ...] = ()
    types: tuple[str, ...] = TYPES
    owner: str = ""
    group: str = ""
    mode: str = ""
    acls: tuple[str, ...] = ()
    context: Mapping[str, Any] | None = None

    def covers(self, path: str) -> bool:
        """Whether a path below `object` is meant; patterns other than `**` match direct children only."""
        base = self.object.rstrip("/") + "/"
        if not path.startswith(base):
            return False
        name = path[len(base) :]
        if any(_glob(name, exception) for exception in self.exceptions):
            return False
        return self.pattern == "**" or _glob(name, self.pattern)


@dataclass(frozen=True)
class AppSpec:
    files: tuple[FileMapping, ...] = ()
    permissions: tuple[Permission, ...] = ()
    hooks: Mapping[str, tuple[Script, ...]] = field(default_factory=dict)
    file_exists: str = ""
    """overrides the deployment's own setting when it is there"""

    def check_events(self, known: frozenset[str]) -> None:
        """Raises AppSpecError for hooks on events that there are not."""
        unknown = sorted(set(self.hooks) - (SCRIPTED & known if known else SCRIPTED))
        if unknown:
            raise AppSpecError(f"appspec.yml file contains unknown lifecycle events: {unknown}")


def _glob(name: str, pattern: str) -> bool:
    return "/" not in name and re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def read(directory: str) -> AppSpec:
    """The AppSpec file of an unpacked revision. Raises AppSpecError."""
    for name in NAMES:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                return parse(file.read())
    raise AppSpecError(MISSING.format(directory=directory))


def parse(text: str) -> AppSpec:
    """Raises AppSpecError."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1} column {where.column + 1}" if where else ""
        raise AppSpecError(
            f"The appspec.yml file is not valid YAML{line}: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(found, dict):
        raise AppSpecError("The deployment failed because the application specification file was empty.")
    if found.get("version") != 0.0 or isinstance(found.get("version"), bool):
        raise AppSpecError(
            "The deployment failed because an invalid version value "
            f"({found.get('version')}) was entered in the application specification file. Make sure your "
            "AppSpec "
            'file specifies "0.0" as the version, and then try again.'
        )
    if found.get("os") != "linux":
        raise AppSpecError(
            "The deployment failed because the application specification file specifies an unsupported "
            "operating "
            f"system ({found.get('os')}). Specify either linux or windows in the os section of the AppSpec "
            "file, "
            "and then try again."
        )
    return AppSpec(
        tuple(_file(one) for one in _list(found, "files")),
        tuple(_permission(one) for one in _list(found, "permissions")),
        _hooks(found.get("hooks") or {}),
        _behaviour(found.get("file_exists_behavior")),
    )


def _list(found: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    value = found.get(section) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise AppSpecError(f"The {section} section of the AppSpec file must be a list of mappings.")
    return value


def _behaviour(value: Any) -> str:
    if value is None:
        return ""
    if str(value).upper() not in BEHAVIOURS:
        raise AppSpecError(
            f"The deployment failed because an invalid option was specified for fileExistsBehavior: {value}. "
            "Valid options include OVERWRITE, RETAIN, and DISALLOW."
        )
    return str(value).upper()


def _file(mapping: Mapping[str, Any]) -> FileMapping:
    for end in ("source", "destination"):
        if not mapping.get(end):
            raise AppSpecError(
                "The deployment failed because the application specification file specifies a "
                f"{'destination' if end == 'source' else 'source'} file, but no {end} file. Update the "
                "files section "
                "of the AppSpec file, and then try again."
            )
    return FileMapping(str(mapping["source"]), str(mapping["destination"]))


def _hooks(found: Any) -> dict[str, tuple[Script, ...]]:
    if not isinstance(found, dict):
        raise AppSpecError("The hooks section of the AppSpec file must be a mapping of lifecycle events.")
    hooks = {}
    for event, scripts in found.items():
        if not isinstance(scripts, list) or not all(isinstance(one, dict) for one in scripts):
            raise AppSpecError(f"The hooks of {event} in the AppSpec file must be a list of scripts.")
        hooks[str(event)] = tuple(_script(one) for one in scripts)
        seconds = sum(script.timeout for script in hooks[str(event)])
        if seconds > LONGEST_SECONDS and len(scripts) > 1 and any("timeout" in one for one in scripts):
            raise AppSpecError(
                f"The timeouts of all scripts of {event} sum up to {seconds} seconds; {LONGEST_SECONDS} are "
                "allowed."
            )
    return hooks


def _script(found: Mapping[str, Any]) -> Script:
    location = str(found.get("location") or "").strip()
    if not location:
        raise AppSpecError(
            "The deployment failed because the application specification file specifies a script with no "
            "location "
            "value. Specify the location in the hooks section of the AppSpec file, and then try again."
        )
    try:
        timeout = int(found.get("timeout") or LONGEST_SECONDS)
    except (TypeError, ValueError):
        timeout = 0
    if timeout <= 0:
        raise AppSpecError(
            "The deployment failed because an invalid timeout value was provided for a script in the "
            "application "
            "specification file. Make corrections in the hooks section of the AppSpec file, and then try "
            "again."
        )
    return Script(location, timeout, str(found.get("runas") or "").strip(), bool(found.get("sudo")))


def _permission(found: Mapping[str, Any]) -> Permission:
    name = str(found.get("object") or "").strip()
    if not name:
        raise AppSpecError(
            "The deployment failed because a permission listed in the application specification file has no "
            "object "
            "value. Update the permissions section of the AppSpec file, and then try again."
        )
    types = tuple(found.get("type") or TYPES)
    unknown = [one for one in types if one not in TYPES]
    if unknown:
        raise AppSpecError(f"assigning permissions to objects of type {unknown[0]} not supported")
    return Permission(
        object=name,
        pattern=str(found.get("pattern") or "**"),
        exceptions=tuple(str(one) for one in found.get("except") or ()),
        types=types,
        owner=str(found.get("owner") or ""),
        group=str(found.get("group") or ""),
        mode=_mode(found.get("mode")),
        acls=tuple(str(one) for one in found.get("acls") or ()),
        context=found.get("context"),
    )


def _mode(value: Any) -> str:
    """Up to four octal digits. An unquoted `0755` is the number 493 in YAML, and refused as such."""
    if value is None:
        return ""
    mode = str(value)
    if len(mode) > 4:
        raise AppSpecError(
            f"The deployment failed because the length of a permission mode ({mode}) in the application "
            "specification "
            "file is invalid. Permission modes must be between one and four characters long. Update the "
            "permissions "
            "section of the AppSpec file, and then try again."
        )
    wrong = [digit for digit in mode if digit not in "01234567"]
    if wrong:
        raise AppSpecError(
            f"The deployment failed because the permission mode ({mode}) in the application specification "
            "file has an "
            f"invalid character ({wrong[0]}). Update the permissions section of the AppSpec file, and then "
            "try again."
        )
    return mode
