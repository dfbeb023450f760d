"""systemctl: the verbs that installation and hook scripts use, with systemd's exit statuses.

https://www.freedesktop.org/software/systemd/man/latest/systemctl.html
"""

from __future__ import annotations

import os
import signal
import sys
import time
from fnmatch import fnmatch

from init import journal, unitfiles
from init.client import order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ACTIVE_STATUS = {"active": 0, "activating": 3, "deactivating": 3, "inactive": 3, "failed": 3}
NO_SUCH_UNIT, NOT_ACTIVE, NOT_LOADED = 4, 3, 5
OPTIONS_WITH_VALUE = (
    "-p",
    "--property",
    "-t",
    "--type",
    "-n",
    "--lines",
    "-s",
    "--signal",
    "-o",
    "--output",
    "--state",
)


class Options:
    def __init__(self, arguments: Sequence[str]) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.words: list[str] = []
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                self.words.append(word)
            elif equals:
                self.values[name] = value
            elif word in OPTIONS_WITH_VALUE and rest:
                self.values[word] = rest.pop(0)
            else:
                self.flags.add(word)

    def has(self, *names: str) -> bool:
        return any(name in self.flags for name in names)

    def value(self, *names: str, default: str = "") -> str:
        return next((self.values[name] for name in names if name in self.values), default)


def main(arguments: Sequence[str]) -> int:
    options = Options(arguments)
    if options.has("--version"):
        print("systemd 252 (252.23-10.amzn2023)")
        return 0
    verb, *names = options.words or ["list-units"]
    action = VERBS.get(verb)
    if action is None:
        print(f"Unknown command verb {verb}.", file=sys.stderr)
        return 1
    if verb in NEED_UNITS and not names:
        print("Too few arguments.", file=sys.stderr)
        return 1
    status: int = action([unitfiles.full_name(name) for name in names], options)
    return status


def _state(name: str) -> dict[str, Any]:
    return order(do="show", unit=name)


def _job(verb: str) -> Any:
    def act(names: list[str], options: Options) -> int:
        return max(_one_job(verb, name, options) for name in names)

    return act


def _one_job(verb: str, name: str, options: Options) -> int:
    answer = order(do=verb, unit=name)
    if "error" in answer:
        return _refused(verb, name, answer)
    if verb in ("start", "restart") and answer["state"] == "failed":
        why = (
            "a timeout was exceeded"
            if answer["result"] == "timeout"
            else "the control process exited with error code"
        )
        print(f"Job for {name} failed because {why}.", file=sys.stderr)
        print(f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.', file=sys.stderr)
        return 1
    return 0


def _refused(verb: str, name: str, answer: dict[str, Any]) -> int:
    if answer["error"] == "NoSuchUnitError":
        missing = f"Unit {name} not found." if verb != "stop" else f"Unit {name} not loaded."
        print(f"Failed to {verb} {name}: {missing}", file=sys.stderr)
        return NOT_LOADED
    print(f"Failed to {verb} {name}: {answer['message']}", file=sys.stderr)
    return 1


def _try_restart(names: list[str], options: Options) -> int:
    running = [name for name in names if _state(name).get("state") == "active"]
    return max((_one_job("restart", name, options) for name in running), default=0)


def _reload_or_restart(names: list[str], options: Options) -> int:
    return max(
        0 if "error" not in order(do="reload", unit=name) else _one_job("restart", name, options)
        for name in names
    )


def _is_active(names: list[str], options: Options) -> int:
    found = [_state(name).get("state", "inactive") for name in names]
    if not options.has("-q", "--quiet"):
        print("\n".join(found))
    return 0 if "active" in found else NOT_ACTIVE


def _is_failed(names: list[str], options: Options) -> int:
    found = [_state(name).get("state", "inactive") for name in names]
    if not options.has("-q", "--quiet"):
        print("\n".join(found))
    return 0 if "failed" in found else 1


def _is_enabled(names: list[str], options: Options) -> int:
    status = 1
    for name in names:
        try:
            state = unitfiles.enabled_state(name)
        except unitfiles.NoSuchUnitError:
            print(f"Failed to get unit file state for {name}: No such file or directory", file=sys.stderr)
            continue
        if not options.has("-q", "--quiet"):
            print(state)
        status = 0 if state in ("enabled", "static") else status
    return status


def _enable(names: list[str], options: Options) -> int:
    for name in names:
        try:
            for link in unitfiles.enable(name):
                print(f"Created symlink {link} → {os.readlink(link)}.", file=sys.stderr)
        except unitfiles.UnitError:
            print(f"Failed to enable unit: Unit file {name} does not exist.", file=sys.stderr)
            return 1
    return max(_one_job("start", name, options) for name in names) if options.has("--now") else 0


def _disable(names: list[str], options: Options) -> int:
    for name in names:
        try:
            for link in unitfiles.disable(name):
                print(f'Removed "{link}".', file=sys.stderr)
        except unitfiles.UnitError:
            print(f"Failed to disable unit: Unit file {name} does not exist.", file=sys.stderr)
            return 1
    return max(_one_job("stop", name, options) for name in names) if options.has("--now") else 0


def _mask(names: list[str], options: Options) -> int:
    for name in names:
        link = f"{unitfiles.ENABLED_IN}/{name}"
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink("/dev/null", link)
        print(f"Created symlink {link} → /dev/null.", file=sys.stderr)
    return 0


def _unmask(names: list[str], options: Options) -> int:
    for name in names:
        link = f"{unitfiles.ENABLED_IN}/{name}"
        if os.path.islink(link) and os.readlink(link) == "/dev/null":
            os.unlink(link)
            print(f'Removed "{link}".', file=sys.stderr)
    return 0


def _daemon_reload(names: list[str], options: Options) -> int:
    """Unit files are read anew whenever a unit that does not run is used."""
    return 0


def _status(names: list[str], options: Options) -> int:
    status = 0
    for name in names:
        state = _state(name)
        if state.get("error") == "NoSuchUnitError":
            print(f"Unit {name} could not be found.", file=sys.stderr)
            status = max(status, NO_SUCH_UNIT)
            continue
        if "error" in state:
            print(f"{name}: {state['message']}")
            status = max(status, NOT_ACTIVE)
            continue
        _print_status(state, int(options.value("-n", "--lines", default="10")))
        status = max(status, ACTIVE_STATUS[state["state"]])
    return status


def _print_status(state: dict[str, Any], lines: int) -> None:
    mark = {"active": "●", "failed": "\N{MULTIPLICATION SIGN}"}.get(state["state"], "○")
    since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(state["since"]))
    result = f" (Result: {state['result']})" if state["state"] == "failed" else f" ({state['sub']})"
    print(f"{mark} {state['unit']} - {state['description']}")
    print(f"     Loaded: loaded ({state['path']}; {state['enabled']}; preset: disabled)")
    for drop_in in state["drop_ins"]:
        print(f"    Drop-In: {drop_in}")
    print(f"     Active: {state['state']}{result} since {since}; {_ago(state['since'])} ago")
    if state["main"]:
        print(f"   Main PID: {state['main']}")
    elif state["state"] == "failed":
        print(f"   Main PID: (code=exited, status={state['status']})")
    entries = [entry for entry in journal.read() if entry.unit == state["unit"]][-lines:] if lines else []
    print("\n" + "\n".join(journal.line(entry) for entry in entries) if entries else "")


def _ago(moment: float) -> str:
    seconds = int(time.time() - moment)
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}min {seconds % 60}s"


def _show(names: list[str], options: Options) -> int:
    wanted = [name for name in options.value("-p", "--property").split(",") if name]
    for name in names:
        state = _state(name)
        missing = "error" in state
        shown = {
            "Id": name,
            "LoadState": "not-found" if missing else "loaded",
            "ActiveState": state.get("state", "inactive"),
            "SubState": state.get("sub", "dead"),
            "MainPID": state.get("main", 0),
            "ExecMainStatus": state.get("status", 0),
            "Result": state.get("result", "success"),
            "NRestarts": state.get("restarts", 0),
            "Type": state.get("kind", ""),
            "Restart": state.get("restart", "no"),
            "FragmentPath": state.get("path", ""),
            "UnitFileState": state.get("enabled", ""),
            "Description": state.get("description", name),
        }
        for key in wanted or shown:
            value = shown.get(key, "")
            print(value if options.has("--value") else f"{key}={value}")
    return 0


def _list_units(names: list[str], options: Options) -> int:
    kind = options.value("-t", "--type")
    state = options.value("--state")
    units = sorted(order(do="list")["units"], key=lambda unit: str(unit["unit"]))
    for unit in units:
        fits = (not kind or unit["unit"].endswith(f".{kind}")) and (
            not state or state in (unit["state"], unit["sub"])
        )
        shown = options.has("-a", "--all") or unit["state"] != "inactive"
        if fits and shown and (not names or any(fnmatch(unit["unit"], name) for name in names)):
            print(f"  {unit['unit']:<40} loaded {unit['state']:<8} {unit['sub']:<8} {unit['description']}")
    return 0


def _list_unit_files(names: list[str], options: Options) -> int:
    for name in unitfiles.names():
        if not names or any(fnmatch(name, pattern) for pattern in names):
            print(f"{name:<40} {unitfiles.enabled_state(name)}")
    return 0


def _cat(names: list[str], options: Options) -> int:
    for name in names:
        try:
            unit = unitfiles.Unit(name)
        except unitfiles.UnitError:
            print(f"No files found for {name}.", file=sys.stderr)
            return 1
        for path in (unit.path, *unit.drop_ins):
            with open(path, encoding="utf-8") as file:
                print(f"# {path}\n{file.read()}")
    return 0


def _kill(names: list[str], options: Options) -> int:
    number = getattr(signal, "SIG" + options.value("-s", "--signal", default="SIGTERM").removeprefix("SIG"))
    for name in names:
        order(do="kill", unit=name, signal=int(number))
    return 0


def _reset_failed(names: list[str], options: Options) -> int:
    for name in names or [unit["unit"] for unit in order(do="list")["units"]]:
        order(do="reset-failed", unit=name)
    return 0


def _power(verb: str) -> Any:
    def act(names: list[str], options: Options) -> int:
        order(do=verb)
        return 0

    return act


def _is_system_running(names: list[str], options: Options) -> int:
    units = order(do="list")["units"]
    state = "running"
    if any(unit["state"] == "activating" for unit in units):
        state = "starting"
    elif any(unit["state"] == "failed" for unit in units):
        state = "degraded"
    print(state)
    return 0 if state == "running" else 1


VERBS = {
    "start": _job("start"),
    "stop": _job("stop"),
    "restart": _job("restart"),
    "reload": _job("reload"),
    "try-restart": _try_restart,
    "reload-or-restart": _reload_or_restart,
    "is-active": _is_active,
    "is-failed": _is_failed,
    "is-enabled": _is_enabled,
    "enable": _enable,
    "disable": _disable,
    "mask": _mask,
    "unmask": _unmask,
    "daemon-reload": _daemon_reload,
    "daemon-reexec": _daemon_reload,
    "status": _status,
    "show": _show,
    "list-units": _list_units,
    "list-unit-files": _list_unit_files,
    "cat": _cat,
    "kill": _kill,
    "reset-failed": _reset_failed,
    "poweroff": _power("poweroff"),
    "halt": _power("poweroff"),
    "reboot": _power("reboot"),
    "is-system-running": _is_system_running,
}
NEED_UNITS = (
    "start",
    "stop",
    "restart",
    "reload",
    "is-active",
    "is-enabled",
    "enable",
    "disable",
    "mask",
    "unmask",
)
