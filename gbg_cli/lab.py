"""`gbg lab`: JupyterLab on the first runbook, with the sandbox up."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from gbg_cli.places import ROOT, RUNBOOKS
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import errors_shown, out
from gbg_lib.progress import LEARNER
from gbg_lib.runner.notebook_format import nbformat
from gbg_lib.runner.run import JOBS_FOLDER
from gbg_lib.runs.page import TEMPLATES

FIRST = "runbooks/00_welcome.ipynb"
SETTINGS = Path(__file__).parent / "lab_settings"
"""what JupyterLab takes in place of its own defaults; a learner's own settings go before it"""
EXTENSIONS = Path(__file__).parent / "lab_extensions"
"""what the page has besides JupyterLab's own"""
PAGE = {"buildCheck": False, "buildAvailable": False}
"""for the page: it need not ask whether extensions have to be built, which takes a Node.js a second or two"""


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8888, show_default=True, help="JupyterLab's port."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def lab(port: int, no_browser: bool, words: tuple[str, ...]) -> None:
    """Open JupyterLab on runbook 00; words after `--` go to JupyterLab."""
    with errors_shown(), ThreadPoolExecutor(1) as beside:
        sandbox = beside.submit(ensure_up)
        from jupyterlab.labapp import LabApp  # takes as long to load as the sandbox to start

        sandbox.result()
    os.environ.setdefault(LEARNER, getpass.getuser())
    os.chdir(ROOT)
    server = LabApp.initialize_server([*arguments(port, no_browser), *words])
    own = (*RUNBOOKS.glob("*.ipynb"), *(RUNBOOKS / JOBS_FOLDER).glob("*.ipynb"))
    trust(server.contents_manager.notary, own)
    address = server.connect_url
    server.identity_provider.token_generated = False  # or Jupyter Server tells it, too, among other words
    server.io_loop.add_callback(_tell, address)  # the server is there, and has said what it had to say
    server.start()


def trust(notary: Any, runbooks: Iterable[Path]) -> None:
    """The outputs of this project's runbooks are shown as they are, pictures and all.

    JupyterLab shows none that nobody has signed here; yet whoever starts this command runs the code that lies
    beside them (https://jupyter-server.readthedocs.io/en/latest/operators/security.html).
    """
    for path in runbooks:
        with suppress(
            OSError, ValueError, AttributeError, nbformat.ValidationError
        ):  # JupyterLab tells of it
            notary.sign(nbformat.read(path, as_version=4))


def _tell(address: str) -> None:
    out.print(
        "JupyterLab is up, until Control-C; the sandbox stays, until `./gbg down`. Where no browser opens:"
    )
    out.print(f"  {address}", markup=False)


def arguments(port: int, no_browser: bool) -> list[str]:
    """What JupyterLab is told: its place, its first page, nothing that asks or phones home, and to be quiet.

    A runbook that it exports as HTML looks as a run's page does.
    """
    return [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        f"--LabApp.app_settings_dir={SETTINGS}",
        f"--LabApp.extra_labextensions_path={EXTENSIONS}",
        f"--ServerApp.tornado_settings={{'page_config_data': {PAGE}}}",
        f"--HTMLExporter.extra_template_basedirs={TEMPLATES}",
        "--HTMLExporter.template_name=runbook",
        "--Application.log_level=ERROR",
        "--KernelManager.transport_encryption=auto",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--ServerApp.open_browser=False"] if no_browser else []),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
