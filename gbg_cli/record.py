"""`gbg record`: keep what happened in a release, and check what was kept."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from gbg_cli.run import parameters, shown
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import FAILURE, errors_shown, out, show_error
from gbg_lib.errors import MisuseError
from gbg_lib.parameters import Parameters
from gbg_lib.record.archive import open_archive, pack
from gbg_lib.record.notes import add_note
from gbg_lib.record.recorder import Recorded, Recorder
from gbg_lib.record.store import Store, records
from gbg_lib.record.verify import Finding, verify, verify_all
from gbg_lib.steps import ReleaseRun


class Recording(click.Group):
    """`gbg record EXECUTION` needs no further word; `verify` and `pack` are commands of their own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return super().resolve_command(ctx, ["release", *args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "EXECUTION | --all-new"]


@click.group(cls=Recording, invoke_without_command=True)
@click.option("--all-new", is_flag=True, help="Every release that is over and not recorded; late evidence.")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.pass_context
def record(context: click.Context, all_new: bool, file: Path | None, assignments: tuple[str, ...]) -> None:
    """Keep all evidence of a release in an archive, here and in the records bucket."""
    context.obj = (file, assignments)
    if context.invoked_subcommand is not None:
        return
    with errors_shown():
        if not all_new:
            raise MisuseError("record", "it needs a release", "`gbg record EXECUTION`, or `--all-new`")
        found = 0
        for done in _recorder(file, assignments).record_all():
            found += 1
            _told(done)
        if not found:
            out.print("no release is over yet")


@record.command(hidden=True)
@click.argument("execution")
@click.pass_obj
def release(given: tuple[Path | None, tuple[str, ...]], execution: str) -> None:
    """Record one pipeline execution."""
    with errors_shown():
        _told(_recorder(*given).record(execution))


@record.command("verify")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[RECORD]...")
@click.option("--deployment", default="gbg", show_default=True, help="Whose records, when none are named.")
def verify_(paths: tuple[Path, ...], deployment: str) -> None:
    """Check records, and without names a deployment's whole chain: every file, hash and link."""
    with errors_shown():
        if paths:
            found = [finding for path in paths for finding in verify(open_archive(path)).findings]
            number, links = len(paths), 0
        else:
            store = Store(records(), deployment)
            entries = store.entries()
            verified, found = verify_all(store.folders(), entries[-1].link if entries else None)
            number, links = len(verified), sum(len(one.links) for one in verified)
    for finding in found:
        _bad(finding)
    if found:
        sys.exit(FAILURE)
    chain = f", and its chain of {links} is whole" if links else ""
    out.print(f"{number} record{'s' if number != 1 else ''}: every file is as it was written{chain}")


@record.command("note")
@click.argument("path", type=click.Path(path_type=Path), metavar="RECORD")
@click.argument("text")
@click.option("-e", "--evidence", default="", help="Id of the evidence that it is about.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who writes it.")
def note(path: Path, text: str, evidence: str, by: str) -> None:
    """Write a note to a record, at a piece of evidence or at the whole; the record itself stays as it is."""
    with errors_shown():
        made = add_note(path, open_archive(path), evidence, text, by)
    out.print(f"noted at {made.evidence or 'the release'}")


@record.command("pack")
@click.argument("path", type=click.Path(path_type=Path), metavar="RECORD")
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE.zip")
def pack_(path: Path, target: Path) -> None:
    """Put a record into one zip file, to hand it on."""
    with errors_shown():
        out.print(f"packed: {shown(pack(open_archive(path), target))}")


def _recorder(file: Path | None, assignments: tuple[str, ...]) -> Recorder:
    values = parameters(file, assignments)
    if values.get("cloud", "sandbox") == "sandbox":
        ensure_up()
    return Recorder(ReleaseRun(Parameters(**values)), records())


def _told(done: Recorded) -> None:
    name = shown(done.path)
    if done.action == "nothing":
        out.print(f"{name}: nothing to do, {done.reason}")
        return
    out.print(f"{name}: {done.action}, {done.reason}; {done.pieces} pieces in {done.calls} calls")
    if done.address:
        out.print(f"  also at {done.address}")
    for missing in done.missing:
        out.print(f"  missing: {missing}")


def _bad(finding: Finding) -> None:
    place = f"{finding.record}/{finding.file}" if finding.file else finding.record
    show_error(place, finding.what, "take another copy: the bucket keeps every version")
