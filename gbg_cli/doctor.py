"""`gbg doctor`: what this machine has, what the sandbox needs, what to do about the difference."""

from __future__ import annotations

import sys

import click

from gbg_cli.places import home
from gbg_cli.programs import PROGRAMS, find
from gbg_cli.terminal import FAILURE, out
from gbg_lib.checks import Check
from gbg_sandbox.home import Home
from gbg_sandbox.machines import probe


@click.command()
def doctor() -> None:
    """Look at this machine and say what is missing."""
    checks = [_python(), *map(_program, PROGRAMS), *_machines(), _sandbox()]
    for check in checks:
        mark = "[green]ok[/]" if check.passed else "[red]missing[/]"
        out.print(f"{mark:20} {check.name}: {check.found}")
        if not check.passed:
            out.print(f"          try: {check.try_this}")
    if not all(check.passed for check in checks):
        sys.exit(FAILURE)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), version, "Python 3.11 or newer")


def _program(name: str) -> Check:
    found = find(name)
    return Check(name, found is not None, found or "not found", f"apt-get install {PROGRAMS[name]}")


def _machines() -> list[Check]:
    """The kinds of machines; one that works is enough."""
    findings = probe(Home(home()).state_dir())
    works = any(finding.works for finding in findings)
    return [
        Check(
            f"machines ({finding.kind})",
            finding.works or works,
            "works" if finding.works else finding.reason,
            finding.way_out,
        )
        for finding in findings
    ]


def _sandbox() -> Check:
    found = Home(home())
    running = found.running()
    if running:
        return Check("sandbox", True, f"up at {running.endpoint_url}", "")
    if found.died():
        return Check("sandbox", False, "it died", f"read {found.log_file}, then `gbg up`")
    return Check("sandbox", True, "not up (`gbg up` starts it)", "")
