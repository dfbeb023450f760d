"""`gbg up`, `down`, `status`, `env`: the sandbox on this machine."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any

import click

from gbg_cli.places import ROOT, home
from gbg_cli.programs import require_programs
from gbg_cli.terminal import FAILURE, err, errors_shown, out, show_error
from gbg_lib.loopback import exemption
from gbg_sandbox.home import PROFILE, Home, Running

OVERRIDES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"),
    *("AWS_DEFAULT_REGION", "AWS_DEFAULT_PROFILE"),
)
"""variables that would win over the profile"""
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
"""a stack in one of these has its outputs"""


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option(
    "--machines", type=click.Choice(["namespaces", "chroot"]), help="Kind of machines; probed by default."
)
@click.option("--scale", type=click.FloatRange(min=0.1), default=60.0, show_default=True,
              help="AWS seconds that pass in one real second, for waits only.")  # fmt: skip
def up(port: int, machines: str | None, scale: float) -> None:
    """Start the sandbox in the background."""
    with errors_shown():
        require_programs()
        running = Home(home()).up(port=port, kind=machines, scale=scale)
    out.print(f"sandbox up at {running.endpoint_url} ({running.machines} machines, process {running.pid})")
    out.print(f"what happens in it:  {running.page_url}")
    out.print('for the aws command, boto3 and git:  eval "$(./gbg env)"')


@click.command()
def down() -> None:
    """Stop the sandbox and remove its machines."""
    with errors_shown():
        stopped = Home(home()).down()
    out.print("sandbox stopped" if stopped else "no sandbox was up")


@click.command()
@click.option("--deployment", default="gbg", show_default=True, help="Which deployment's stacks to look at.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(deployment: str, as_json: bool) -> None:
    """Tell whether the sandbox is up and what runs in it."""
    found = Home(home())
    running = found.running()
    if running is None:
        what = "it has died" if found.died() else "it is not up"
        try_this = f"read {found.log_file}, then `gbg up`" if found.died() else "`gbg up`"
        if as_json:
            click.echo(json.dumps({**_unknown(found, deployment), "reason": what}, indent=2))
        else:
            show_error("sandbox", what, try_this)
        sys.exit(FAILURE)
    with errors_shown():
        facts = _facts(found, running, deployment)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        out.print(f"[bold]{key:17}[/bold] {shown if shown not in (None, '') else '-'}")


def _unknown(found: Home, deployment: str) -> dict[str, Any]:
    """What `status` always tells, as far as it is known without a sandbox."""
    return {
        "up": False,
        "deployment": deployment,
        "endpoint_url": None,
        "page": None,
        "profile": PROFILE,
        "config_file": str(found.config_file),
        "credentials_file": str(found.credentials_file),
        "site": None,
        "stacks": {},
        "pipeline": None,
        "processes": {},
    }


def _facts(found: Home, running: Running, deployment: str) -> dict[str, Any]:
    # boto3 loads for as long as the rest of `gbg up` takes
    from gbg_lib.aws import open_aws
    from gbg_lib.parameters import checked
    from gbg_lib.pipeline import Pipeline
    from gbg_lib.stacks import Stacks

    stacks = Stacks(open_aws(checked({"deployment": deployment}, "--deployment")))
    names = (f"{deployment}-base", f"{deployment}-pipeline")
    states = {name: stacks.status_or_none(name) for name in names}
    facts = _unknown(found, deployment) | {
        "up": True,
        "endpoint_url": running.endpoint_url,
        "page": running.page_url,
        "stacks": {name: state for name, state in states.items() if state},
        "processes": _processes(running.pid),
    }
    if states[names[0]]:
        facts["site"] = stacks.outputs(names[0]).get("SiteUrl")
    if states[names[1]] in SETTLED:
        pipeline = Pipeline(stacks.aws, stacks.outputs(names[1])["PipelineName"])
        newest = next(iter(pipeline.executions()), None)
        facts["pipeline"] = {
            "name": pipeline.name,
            "execution": newest.id if newest else "",
            "status": newest.status if newest else "",
        }
    return facts


def _processes(pid: int) -> dict[str, int]:
    """The sandbox's process and how many run below it."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    below, waiting = 0, [pid]
    while waiting:
        found = children.get(waiting.pop(), [])
        below += len(found)
        waiting += found
    return {"sandbox": pid, "below": below}


@click.command()
def env() -> None:
    """Print the exports for a shell: then aws, boto3 and git work against the sandbox."""
    found = Home(home())
    running = found.running()
    if running is None:
        show_error("sandbox", "it is not up", "`gbg up`")
        sys.exit(FAILURE)
    helper = f"!{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'gbg_lib' / 'git_credentials.py'))}"
    git = {
        f"credential.{running.endpoint_url}.helper": helper,
        f"credential.{running.endpoint_url}.useHttpPath": "true",
    }
    for name in OVERRIDES:
        click.echo(f"unset {name}")
    for name, value in {**found.environment(), **exemption(os.environ)}.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"export GIT_CONFIG_COUNT={len(git)}")
    for number, (key, value) in enumerate(git.items()):
        click.echo(f"export GIT_CONFIG_KEY_{number}={shlex.quote(key)}")
        click.echo(f"export GIT_CONFIG_VALUE_{number}={shlex.quote(value)}")


def ensure_up() -> Running:
    """The sandbox, started when it is not up. Raises SandboxError."""
    found = Home(home())
    running = found.running()
    if running is None:
        require_programs()
        running = found.up()
        err.print(f"sandbox up at {running.endpoint_url}; what happens in it: {running.page_url}")
    return running
