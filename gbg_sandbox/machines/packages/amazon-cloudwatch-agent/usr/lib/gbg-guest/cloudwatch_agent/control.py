"""amazon-cloudwatch-agent-ctl: brings a configuration, starts and stops the service, tells its status.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/install-CloudWatch-Agent-on-EC2-Instance-fleet.html
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from urllib.parse import quote

from cloudwatch_agent import config, place, schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CONTROL = "amazon-cloudwatch-agent-ctl"
OPTIONS = {"-a": "action", "-m": "mode", "-c": "source", "-l": "level", "-o": "otel"}
MODES = ("ec2", "auto")
USAGE = f"""usage: {CONTROL} -a fetch-config|append-config|remove-config|start|stop|status
       [-m ec2|auto] [-c file:PATH|ssm:PARAMETER|all] [-s]

  -a fetch-config   replace the configuration by the one that -c names
     append-config  add it to the one that is there
     remove-config  take it away again (-c all: every one)
     start, stop    the service {place.SERVICE}
     status         of the service, as JSON
  -s                start the service anew with the configuration"""


class Refused(Exception):
    """What goes to the standard error before exit status 1."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "-help", "--help", "-?"):
        print(USAGE)
        return 0 if arguments else 1
    try:
        options = _options(arguments)
        action = ACTIONS.get(options.get("action", ""))
        if action is None:
            raise Refused(_unknown_action(options.get("action", "")))
        mode = options.get("mode", "ec2")
        if mode not in MODES:
            raise Refused(f"gbg_sandbox does not run mode {mode}; it knows {', '.join(MODES)}")
        if os.getuid() != 0:
            raise Refused("The agent's control needs root: use sudo")
        return action(options)
    except Refused as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return 1


def _unknown_action(action: str) -> str:
    if action == "set-log-level":
        return "gbg_sandbox does not run set-log-level: this agent has one log level"
    return f"Invalid action: {action}\n\n{USAGE}"


def _options(arguments: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "-s":
            found["start"] = word
        elif word in OPTIONS and rest:
            found[OPTIONS[word]] = rest.pop(0)
        else:
            raise Refused(f"Invalid option or no value: {word}\n\n{USAGE}")
    if "otel" in found:
        raise Refused("gbg_sandbox does not run OpenTelemetry configurations (-o)")
    return found


def _fetch(options: dict[str, str]) -> int:
    return _bring(options, keep=False)


def _append(options: dict[str, str]) -> int:
    return _bring(options, keep=True)


def _bring(options: dict[str, str], *, keep: bool) -> int:
    print(f"****** processing {place.SERVICE} ******")
    name, content = _download(options.get("source", "default"))
    final = f"{place.DIRECTORY}/{name}"
    fetched = final + config.TEMPORARY
    os.makedirs(place.DIRECTORY, exist_ok=True)
    with open(fetched, "w", encoding="utf-8") as file:
        file.write(content)
    print(f"Successfully fetched the config and saved in {fetched}")
    others = [path for path in config.kept() if path != final]
    _translate([*others, fetched] if keep else [fetched], fetched)
    for path in () if keep else others:
        os.unlink(path)
    os.replace(fetched, final)
    return _restart() if "start" in options else 0


def _remove(options: dict[str, str]) -> int:
    print(f"****** processing {place.SERVICE} ******")
    source = options.get("source", "")
    kind, _, where = source.partition(":")
    kept = config.kept()
    gone = kept if source == "all" else [f"{place.DIRECTORY}/{_kept_name(kind, where)}"]
    if not all(os.path.exists(path) for path in gone):
        raise Refused(f"There is no configuration from {source or 'nowhere: say it with -c'}")
    left = [path for path in kept if path not in gone]
    if left:
        _translate(left, "")
    for path in gone:
        os.unlink(path)
    if not left:
        print(f"all {place.SERVICE} configurations have been removed")
        if os.path.exists(place.TOML_FILE):
            os.unlink(place.TOML_FILE)
        return _systemctl("stop", place.SERVICE) if "start" in options else 0
    return _restart() if "start" in options else 0


def _translate(paths: list[str], fetched: str) -> None:
    """Check and write the translation; a refused file does not stay."""
    print("Start configuration validation...")
    for path in paths:
        print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} Reading json config file path: {path} ...")
    try:
        settings = config.load(paths)
    except schema.Invalid as error:
        if fetched:
            os.unlink(fetched)
        raise Refused(
            f"E! Invalid Json input schema.\n {error}\n"
            f"Configuration validation first phase failed. Agent version: {place.version()}. Verify the JSON "
            "input is only using features supported by this version."
        ) from error
    print("I! Valid Json input schema.")
    with open(place.TOML_FILE, "w", encoding="utf-8") as file:
        file.write(config.translation(settings))
    print("Configuration validation first phase succeeded")
    print("Configuration validation succeeded")


def _kept_name(kind: str, where: str) -> str:
    return f"file_{os.path.basename(where)}" if kind == "file" else f"{kind}_{quote(where, safe='')}"


def _download(source: str) -> tuple[str, str]:
    """The name that the configuration is kept under, and its text."""
    kind, _, where = source.partition(":")
    if kind == "file" and where:
        try:
            with open(where, encoding="utf-8") as file:
                return _kept_name(kind, where), file.read()
        except OSError as error:
            raise Refused(f"E! Fail to fetch the config from {source}: {error.strerror}: {where}") from error
    if kind == "ssm" and where:
        return _kept_name(kind, where), _parameter(where)
    if source == "default":
        raise Refused("gbg_sandbox has no default configuration: name one with -c file:PATH or ssm:PARAMETER")
    raise Refused(f"Invalid config location {source}: say file:PATH or ssm:PARAMETER")


def _parameter(name: str) -> str:
    """The text of a Systems Manager parameter, read with the instance's role."""
    import instance_aws as aws

    request = {"Name": name, "WithDecryption": True}
    try:
        return str(aws.call("ssm", "AmazonSSM.GetParameter", request)["Parameter"]["Value"])
    except (aws.ServiceError, aws.InstanceError, OSError) as error:
        raise Refused(f"E! Fail to fetch the config from ssm:{name}: {error}") from error


def _systemctl(*words: str) -> int:
    sys.stdout.flush()
    return subprocess.run(["systemctl", *words], check=False).returncode


def _start(options: dict[str, str]) -> int:
    print(f"****** processing {place.SERVICE} ******")
    if not config.kept():
        raise Refused(f"{place.SERVICE} is not configured; bring a configuration with -a fetch-config")
    if _running():
        print(f"{place.SERVICE} has already been started")
        return 0
    return _systemctl("enable", place.SERVICE) or _systemctl("start", place.SERVICE)


def _stop(options: dict[str, str]) -> int:
    print(f"****** processing {place.SERVICE} ******")
    if not _running():
        print(f"{place.SERVICE} has already been stopped")
        return 0
    return _systemctl("stop", place.SERVICE)


def _restart() -> int:
    return _systemctl("enable", place.SERVICE) or _systemctl("restart", place.SERVICE)


def _ask(*words: str) -> str:
    return subprocess.run(["systemctl", *words], check=False, capture_output=True, text=True).stdout.strip()


def _running() -> bool:
    return _ask("is-active", place.SERVICE) == "active"


def _status(options: dict[str, str]) -> int:
    running = _running()
    told = {
        "status": "running" if running else "stopped",
        "starttime": _start_time() if running else "",
        "configstatus": "configured" if config.kept() else "not configured",
        "version": place.version(),
    }
    print(json.dumps(told, indent=2))
    return 0


def _start_time() -> str:
    found = re.search(r"since \w+ (\S+) (\S+) UTC", _ask("status", place.SERVICE))
    return f"{found[1]}T{found[2]}+00:00" if found else ""


ACTIONS: dict[str, Callable[[dict[str, str]], int]] = {
    "append-config": _append,
    "fetch-config": _fetch,
    "remove-config": _remove,
    "start": _start,
    "status": _status,
    "stop": _stop,
}
