"""Install: copies the revision's files, sets permissions, and remembers what the next one has to remove."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field

from .appspec import AppSpec, AppSpecError, Permission

EXISTS = "The deployment failed because a specified file already exists at this location: {path}"


@dataclass
class Instructions:
    """What will be done; nothing has been done yet."""

    directories: list[str] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    permissions: list[tuple[str, Permission]] = field(default_factory=list)

    def as_json(self) -> str:
        made = [{"type": "mkdir", "directory": path} for path in self.directories]
        made += [{"type": "copy", "source": source, "destination": target} for source, target in self.copies]
        made += [{"type": "permissions", "object": path} for path, _ in self.permissions]
        return json.dumps({"instructions": made})

    def covered(self, permission: Permission) -> list[str]:
        """The objects among these instructions that a permission is about."""
        files = [target for _, target in self.copies if not os.path.islink(target)]
        if permission.object in files:
            _check_single_file(permission)
            return [permission.object] if "file" in permission.types else []
        if permission.object not in self.directories and not os.path.isdir(permission.object):
            return []
        found = [path for path in files if "file" in permission.types and permission.covers(path)]
        if "directory" in permission.types:
            found += [
                path for path in self.directories if permission.covers(path) or path == permission.object
            ]
        return found


def _check_single_file(permission: Permission) -> None:
    if "file" in permission.types and permission.pattern != "**":
        raise AppSpecError(
            "The deployment failed because the application specification file includes an object "
            f"({permission.object}) with an invalid pattern ({permission.pattern}), such as a pattern for a "
            "file "
            "applied to a directory. Correct the permissions section of the AppSpec file, and then try again."
        )


def install(spec: AppSpec, archive: str, instructions_dir: str, group_id: str, file_exists: str) -> None:
    """Raises OSError, AppSpecError or RuntimeError; a file in the way is found before anything is copied."""
    os.makedirs(instructions_dir, exist_ok=True)
    cleanup = os.path.join(instructions_dir, f"{group_id}-cleanup")
    _remove_former(cleanup)
    instructions = plan(spec, archive, spec.file_exists or file_exists)
    with open(os.path.join(instructions_dir, f"{group_id}-install.json"), "w", encoding="utf-8") as file:
        file.write(instructions.as_json())
    with open(cleanup, "w", encoding="utf-8") as done:
        for directory in instructions.directories:
            os.mkdir(directory)
            done.write(directory + "\n")
        for source, target in instructions.copies:
            _copy(source, target)
            done.write(target + "\n")
    for path, permission in instructions.permissions:
        apply(path, permission)


def _remove_former(cleanup: str) -> None:
    """Remove what the last deployment to this group had installed: files, then directories left empty."""
    if not os.path.exists(cleanup):
        return
    with open(cleanup, encoding="utf-8") as file:
        paths = [line.rstrip("\n") for line in file]
    for path in reversed(paths):
        if os.path.isdir(path) and not os.path.islink(path):
            if not os.listdir(path):
                os.rmdir(path)
        elif os.path.lexists(path):
            os.remove(path)
    os.remove(cleanup)


def plan(spec: AppSpec, archive: str, file_exists: str) -> Instructions:
    made = Instructions()
    for mapping in spec.files:
        source = os.path.normpath(os.path.join(archive, mapping.source.lstrip("/")))
        if not os.path.lexists(source):
            raise RuntimeError(f"No such file or directory - {source}")
        if os.path.isdir(source) and not os.path.islink(source):
            _ancestors(made, mapping.destination)
            _plan_directory(made, source, mapping.destination.rstrip("/") or "/", file_exists)
        else:
            target = os.path.join(mapping.destination, os.path.basename(source))
            _ancestors(made, target)
            _plan_file(made, source, target, file_exists)
    for permission in spec.permissions:
        made.permissions += [(path, permission) for path in made.covered(permission)]
    return made


def _ancestors(made: Instructions, path: str) -> None:
    missing = []
    parent = os.path.dirname(path.rstrip("/"))
    while parent not in ("", "/") and not os.path.exists(parent) and parent not in made.directories:
        missing.append(parent)
        parent = os.path.dirname(parent)
    made.directories += reversed(missing)


def _plan_directory(made: Instructions, source: str, target: str, file_exists: str) -> None:
    if not os.path.isdir(target) and target not in made.directories:
        made.directories.append(target)
    for name in sorted(os.listdir(source)):
        below, to = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(below) and not os.path.islink(below):
            _plan_directory(made, below, to, file_exists)
        else:
            _plan_file(made, below, to, file_exists)


def _plan_file(made: Instructions, source: str, target: str, file_exists: str) -> None:
    if target in (known for _, known in made.copies):
        raise RuntimeError(
            "The deployment failed because the application specification file calls for installing the "
            f"file {target}, "
            "but a file with that name already exists at the location"
        )
    if os.path.lexists(target):
        if file_exists == "DISALLOW":
            raise RuntimeError(EXISTS.format(path=target))
        if file_exists == "RETAIN":
            return
    made.copies.append((source, target))


def _copy(source: str, target: str) -> None:
    if os.path.lexists(target):
        os.remove(target)
    shutil.copy2(source, target, follow_symlinks=False)


def apply(path: str, permission: Permission) -> None:
    """By the system's own programs, so that their refusals are the event's."""
    commands = []
    owner = permission.owner + (f":{permission.group}" if permission.group else "")
    if owner:
        commands.append(["chown", owner, path])
    if permission.mode:
        commands.append(["chmod", permission.mode, path])
    if permission.acls:
        commands.append(["setfacl", "--set", ",".join(permission.acls), path])
    if permission.context:
        commands.append(["chcon", *_context(permission), path])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}"
            )


def _context(permission: Permission) -> list[str]:
    flags = {"user": "--user", "type": "--type", "range": "--range"}
    context = permission.context or {}
    return [f"{flags[name]}={value}" for name, value in context.items() if name in flags]
