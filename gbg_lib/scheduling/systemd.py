"""A systemd service and its timer.

Exit statuses of `gbg run` (docs/scheduling.md) are told to systemd: a shut gate (3) and a run that was asked
to end (4) are no failures of the unit; a lock that another run holds (5) is tried again after a while. 1 and
2 fail it, for `OnFailure=` and `systemctl --failed` to see.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from gbg_lib.errors import GbgError
from gbg_lib.scheduling.hours import Hours
from gbg_lib.scheduling.scheduled import Scheduled

SERVICE = """\
[Unit]
Description=golden-blue-green: {name}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=2h
StartLimitBurst=12

[Service]
Type=exec
WorkingDirectory={folder}
{environment}ExecStart={command}
SuccessExitStatus=3 4
RestartForceExitStatus=5
RestartSec=10min
KillMode=mixed
TimeoutStopSec=5min
"""
TIMER = """\
[Unit]
Description=golden-blue-green: when {name} runs

[Timer]
OnCalendar={calendar}
AccuracySec=1s
Persistent={persistent}

[Install]
WantedBy=timers.target
"""
BOOTED = Path("/run/systemd/system")
"""https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html"""
PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def units(job: Scheduled, hours: Hours, *, catch_up: bool = False) -> dict[str, str]:
    """File name → text. With `catch_up` an hour that was slept through is made good at the next start."""
    environment = [
        f"Environment={_quoted(f'{name}={value}')}\n" for name, value in sorted(job.environment.items())
    ]
    service = SERVICE.format(
        name=job.name,
        folder=str(job.folder).replace("%", "%%"),
        environment="".join(environment),
        command=" ".join(_quoted(word, command=True) for word in _startable(job.words)),
    )
    timer = TIMER.format(name=job.name, calendar=hours.calendar, persistent=str(catch_up).lower())
    return {f"gbg-{job.name}.service": service, f"gbg-{job.name}.timer": timer}


def install(job: Scheduled, hours: Hours, *, catch_up: bool = False) -> list[Path]:
    """Write the units and start the timer; the files written.

    Raises GbgError; nothing is written where systemd would not read it.
    """
    if not BOOTED.is_dir():
        raise GbgError("systemd", "this machine was not started with it", "use cron")
    folder = unit_folder()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in units(job, hours, catch_up=catch_up).items():
        (folder / name).write_text(text)
        written.append(folder / name)
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"gbg-{job.name}.timer")
    return written


def remove(name: str) -> bool:
    """Whether there were units of this name. Raises GbgError."""
    found = [unit_folder() / f"gbg-{name}.{kind}" for kind in ("service", "timer")]
    if not any(path.exists() for path in found):
        return False
    runs = BOOTED.is_dir()
    if runs:
        _systemctl("disable", "--now", f"gbg-{name}.timer")
    for path in found:
        path.unlink(missing_ok=True)
    if runs:
        _systemctl("daemon-reload")
    return True


def unit_folder() -> Path:
    """The system's for root, else the user's own (which needs `loginctl enable-linger` to run at night)."""
    if os.geteuid() == 0:
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _systemctl(*words: str) -> None:
    program = shutil.which("systemctl")
    if program is None:
        raise GbgError("systemctl", "this machine has no systemd", "use cron")
    scope = [] if os.geteuid() == 0 else ["--user"]
    done = subprocess.run([program, *scope, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GbgError(f"systemctl {' '.join(words)}", done.stderr.strip(), "is systemd the init here?")


def _startable(words: tuple[str, ...]) -> tuple[str, ...]:
    """systemd takes no quote and no backslash in a program's path, however escaped; a shell does."""
    if re.search(r"[\"'\\]", words[0]):
        return ("/bin/sh", "-c", 'exec "$0" "$@"', *words)
    return words


def _quoted(word: str, *, command: bool = False) -> str:
    """systemd.syntax(7): % begins a specifier, in commands $ a variable; quotes are C's."""
    text = word.replace("%", "%%")
    if command:
        text = text.replace("$", "$$")
    if PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
