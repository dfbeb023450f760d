"""A line of crontab(5), and how it gets into the user's crontab and out again.

cron mails what a command prints. Of a run that went well nothing is printed; where, what and try-this of one
that did not go to the mail. Exit statuses mean nothing to cron.
"""

from __future__ import annotations

import shutil
import subprocess

from gbg_lib.errors import GbgError, MisuseError
from gbg_lib.scheduling.hours import Hours
from gbg_lib.scheduling.scheduled import Scheduled

LONGEST = 998
"""characters that Debian's cron takes for a command"""


def line(job: Scheduled, hours: Hours) -> str:
    """Raises MisuseError: cron has no time zones, and its lines have an end."""
    if hours.zone is not None:
        raise MisuseError(
            "cron",
            f"it knows this machine's time zone only, not {hours.zone.key}",
            "leave the zone out, or use systemd",
        )
    command = f"{job.shell} >/dev/null".replace("%", r"\%")  # a bare % ends the command
    if len(command) > LONGEST:
        raise MisuseError(
            "cron", f"the command has {len(command)} characters, more than {LONGEST}", "use systemd"
        )
    return f"{hours.cron} {command} {_mark(job.name)}"


def install(job: Scheduled, hours: Hours) -> None:
    """Put the line into the crontab, in the place of an earlier one of this name. Raises GbgError."""
    _write([*_others(job.name), line(job, hours)])


def remove(name: str) -> bool:
    """Whether there was a line of this name."""
    lines, others = _lines(), _others(name)
    _write(others)
    return len(others) < len(lines)


def _mark(name: str) -> str:
    return f"# gbg schedule {name}"


def _others(name: str) -> list[str]:
    return [one for one in _lines() if not one.endswith(_mark(name))]


def _lines() -> list[str]:
    done = _crontab("-l")
    if done.returncode and "no crontab" not in done.stderr:
        raise GbgError("crontab -l", done.stderr.strip(), "may this user have a crontab (cron.allow)?")
    return done.stdout.splitlines() if not done.returncode else []


def _write(lines: list[str]) -> None:
    done = _crontab("-", "\n".join([*lines, ""]))
    if done.returncode:
        raise GbgError("crontab", done.stderr.strip(), "the crontab is as it was; mend what it names")


def _crontab(word: str, text: str = "") -> subprocess.CompletedProcess[str]:
    program = shutil.which("crontab")
    if program is None:
        raise GbgError("crontab", "this machine has no cron", "apt-get install cron, or use systemd")
    return subprocess.run([program, word], input=text, capture_output=True, text=True, check=False)
