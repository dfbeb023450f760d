"""sudo, su and runuser: run a command as another account.

In a machine of an ordinary user there is one user id only: the process keeps it and gets the account's
environment.
"""

from __future__ import annotations

import os
import pwd
import sys

from init import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SUDO_FLAGS = (
    "-n",
    "-E",
    "-H",
    "-S",
    "-i",
    "-b",
    "-s",
    "--non-interactive",
    "--preserve-env",
    "--set-home",
    "--login",
)
KEPT = ("TERM", "LANG", "PATH", "AWS_REGION", "AWS_DEFAULT_REGION")


def _run(user: str, argv: Sequence[str], *, keep: bool, login: bool, group: str = "") -> None:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        sys.exit(f"{os.path.basename(sys.argv[0])}: user {user} does not exist")
    environment = (
        dict(os.environ) if keep else {name: os.environ[name] for name in KEPT if name in os.environ}
    )
    environment |= processes.user_environment(user)
    environment.setdefault("PATH", processes.PATH)
    if (os.getuid(), os.getgid()) != (account.pw_uid, account.pw_gid) or group:
        try:
            processes.become(user, group)
        except PermissionError as error:
            sys.exit(f"{os.path.basename(sys.argv[0])}: {error.strerror}")
    if login:
        os.chdir(account.pw_dir if os.path.isdir(account.pw_dir) else "/")
    try:
        os.execvpe(argv[0], list(argv), environment)
    except OSError as error:
        print(f"{os.path.basename(sys.argv[0])}: {argv[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def sudo(arguments: Sequence[str]) -> None:
    rest, user, group, login, keep = list(arguments), "root", "", False, False
    extra: dict[str, str] = {}
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        word = rest.pop(0)
        if word == "--":
            break
        if word in ("-u", "--user"):
            user = rest.pop(0)
        elif word in ("-g", "--group"):
            group = rest.pop(0)
        elif word.startswith("--user="):
            user = word.partition("=")[2]
        elif word.startswith("--preserve-env"):
            keep = True
        elif not word.startswith("-"):
            extra[word.partition("=")[0]] = word.partition("=")[2]
        elif word in SUDO_FLAGS or set(word[1:]) <= set("nEHSisb"):
            letters = set(word[1:]) if not word.startswith("--") else set()
            login = login or "i" in letters or word == "--login"
            keep = keep or "E" in letters
        elif word == "-l":
            print(
                f"User {os.environ.get('USER', 'root')} may run the following commands: (ALL) NOPASSWD: ALL"
            )
            return
        else:
            sys.exit(f"sudo: invalid option {word}")
    os.environ.update(extra)
    shell = (
        pwd.getpwnam(user).pw_shell if user in {entry.pw_name for entry in pwd.getpwall()} else "/bin/bash"
    )
    in_shell = [shell, "-l", *(["-c", " ".join(rest)] if rest else [])]
    _run(user, in_shell if login else rest or [shell], keep=keep or bool(extra), login=login, group=group)


def su(arguments: Sequence[str], *, default_user: str = "root") -> None:
    """`su [-] [-l] [-s shell] [-c command] [user] [arguments]`, runuser also `-u user [--] command`."""
    rest, user, command, shell, group, login, keep = list(arguments), "", "", "", "", False, False
    direct: list[str] = []
    while rest:
        word = rest.pop(0)
        if word in ("-", "-l", "--login"):
            login = True
        elif word in ("-c", "--command"):
            command = rest.pop(0)
        elif word in ("-s", "--shell"):
            shell = rest.pop(0)
        elif word in ("-g", "--group"):
            group = rest.pop(0)
        elif word in ("-m", "-p", "--preserve-environment"):
            keep = True
        elif word in ("-u", "--user"):
            user = rest.pop(0)
            direct = rest[1:] if rest[:1] == ["--"] else rest
            break
        elif word.startswith("--command="):
            command = word.partition("=")[2]
        elif word.startswith("-"):
            sys.exit(f"{os.path.basename(sys.argv[0])}: invalid option -- '{word}'")
        elif not user:
            user = word
        else:
            direct.append(word)
    user = user or default_user
    shell = shell or _shell_of(user)
    if direct and not command:
        _run(user, direct, keep=keep, login=login, group=group)
    argv = [shell, *(["-l"] if login else []), *(["-c", command] if command else []), *direct]
    _run(user, argv, keep=keep or not login, login=login, group=group)


def _shell_of(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"
