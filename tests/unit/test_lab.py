"""What `gbg lab` tells JupyterLab."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from gbg_cli.lab import EXTENSIONS, SETTINGS, arguments, trust
from tests.notebooks.small import write_notebook

SCHEMAS = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"


def test_every_setting_is_one_that_jupyterlab_has() -> None:
    overrides = json.loads((SETTINGS / "overrides.json").read_text())
    assert f"--LabApp.app_settings_dir={SETTINGS}" in arguments(8888, no_browser=True)
    for plugin, settings in overrides.items():
        extension, _, name = plugin.partition(":")
        schema = json.loads((SCHEMAS / extension / f"{name}.json").read_text())
        assert set(settings) <= set(schema["properties"]), plugin


def test_what_the_page_loads_besides_is_there() -> None:
    assert f"--LabApp.extra_labextensions_path={EXTENSIONS}" in arguments(8888, no_browser=True)
    [package] = EXTENSIONS.glob("*/package.json")
    told = json.loads(package.read_text())
    assert told["name"] == package.parent.name
    entry = package.parent / told["jupyterlab"]["_build"]["load"]
    named = re.findall(r'"\./(\w+\.js)"', entry.read_text())
    assert {entry.name, *named} == {one.name for one in entry.parent.iterdir()}


def test_a_file_that_is_no_notebook_keeps_nothing_from_being_trusted(tmp_path: Path) -> None:
    for name, text in (("a", b"[]"), ("b", b"{"), ("c", b"{}"), ("d", b"\xff")):
        (tmp_path / f"{name}.ipynb").write_bytes(text)
    write_notebook(tmp_path / "mine.ipynb", "1")
    notary = NotebookNotary(db_file=":memory:", secret=b"of a learner")
    trust(notary, tmp_path.glob("*.ipynb"))
    assert notary.check_signature(nbformat.read(tmp_path / "mine.ipynb", as_version=4))


def test_nothing_is_asked_of_other_machines_and_of_the_learner() -> None:
    overrides = json.loads((SETTINGS / "overrides.json").read_text())
    assert overrides["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert "--ServerApp.ip=127.0.0.1" in arguments(8888, no_browser=False)


def test_a_reload_finds_a_view_as_it_was_seconds_ago() -> None:
    overrides = json.loads((SETTINGS / "overrides.json").read_text())
    assert overrides["@jupyterlab/docmanager-extension:plugin"]["autosaveInterval"] <= 10


def test_its_start_loads_no_parser_that_nothing_uses() -> None:
    locked = (Path(__file__).parent.parent.parent / "requirements" / "lab.lock").read_text().splitlines()
    assert not [line for line in locked if line.startswith("rfc3987-syntax")]
