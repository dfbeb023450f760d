"""Parameters: one schema, strict, with the nearest name in every refusal."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from gbg_lib.errors import MisuseError, ParameterError
from gbg_lib.parameters import (
    DRIFT_REPORT,
    EVERY,
    JOBS,
    RUNNER,
    Parameters,
    load_file,
    names_for,
    parameters_cell,
    parse_assignments,
)

ROOT = Path(__file__).parent.parent.parent


def test_a_mistyped_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError) as refused:
        parse_assignments(["instance_cuont=3"])
    assert "instance_cuont" in refused.value.what
    assert "instance_count" in refused.value.try_this


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("instance_count=three", "a whole number"),
        ("instance_count=0", "from 1"),
        ("cloud=azure", "one of sandbox, aws"),
        ("deployment=My Name", "like"),
        ("os_release=latest", "like"),
        ("vpc_cidr=10.0.0.0", "like"),
        ("instance_count", "name=value"),
        ("sweep=maybe", "true or false"),
        ("remove_records=1", "true or false"),
        ("seed=-1", "from 0"),
        ("keep_images=0", "from 1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_the_right_kind(assignment: str, words: str) -> None:
    with pytest.raises(ParameterError) as refused:
        parse_assignments([assignment])
    assert words in refused.value.try_this


@pytest.mark.parametrize(("word", "meant"), [("true", True), ("True", True), ("false", False)])
def test_true_and_false_may_be_words_as_papermill_hands_them_on(
    word: str, meant: bool, tmp_path: Path
) -> None:
    assert Parameters.from_cell({"acknowledged": word, "cloud": "aws"}).acknowledged is meant
    file = tmp_path / "x.yaml"
    file.write_text(f"acknowledged: '{word}'\n")
    assert load_file(file) == {"acknowledged": meant}
    with pytest.raises(ParameterError, match="acknowledged is true or false"):
        Parameters.from_cell({"acknowledged": f"{word}?"})


def test_a_files_error_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("cloud: sandbox\n\ninstance_cuont: 3\n")
    with pytest.raises(ParameterError) as refused:
        load_file(file)
    assert refused.value.where == f"{file}:3"


def test_a_name_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("deployment: shop\ncloud: sandbox\ndeployment: shops\n")
    with pytest.raises(ParameterError, match="deployment stands there twice, first in line 1") as refused:
        load_file(file)
    assert refused.value.where == f"{file}:3"


@pytest.mark.parametrize("text", ["- a\n- b\n", "cloud: [\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(ParameterError):
        load_file(file)


def test_a_missing_file_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(MisuseError):
        load_file(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "parameters").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_kept_file_fits_the_schema(path: Path) -> None:
    assert load_file(path)


@pytest.mark.parametrize("path", sorted((ROOT / "runbooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_runbooks_parameters_cell_is_the_schemas(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in cells] == [parameters_cell(path.stem[:2])]


@pytest.mark.parametrize("name", [*JOBS, DRIFT_REPORT])
def test_a_jobs_parameters_cell_is_the_schemas(name: str) -> None:
    notebook = nbformat.read(ROOT / "runbooks" / "jobs" / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in cells] == [parameters_cell(name)]
    given = load_file(ROOT / "parameters" / "jobs" / f"{name}.yaml")
    assert set(given) <= {*names_for(name), *names_for(RUNNER)}


@pytest.mark.parametrize(
    "cell",
    ['deployment = "gbg"\ninstance_cuont = 3', "# Parameters\ninstance_cuont = 3\n"],
    ids=["by hand", "by papermill"],
)
def test_a_mistyped_name_in_a_notebook_is_refused(cell: str) -> None:
    namespace: dict[str, object] = {"In": ["", cell], "reason": "a variable of another cell"}
    exec(cell, namespace)
    with pytest.raises(ParameterError, match="instance_cuont"):
        Parameters.from_cell(namespace)


@pytest.mark.parametrize("cell", ["x = 3", "deployment = 'shop'\nprint(deployment)", "%matplotlib inline"])
def test_other_cells_of_a_notebook_may_set_what_they_like(cell: str) -> None:
    assert Parameters.from_cell({"In": [cell], "x": 3, "deployment": "shop"}).deployment == "shop"


def test_defaults_are_valid_and_every_parameter_is_read_by_a_runbook() -> None:
    defaults = Parameters()
    for name in Parameters.model_fields:
        assert any(name in names_for(runbook) for runbook in (*EVERY, RUNNER)), name
    namespace: dict[str, object] = {}
    exec(parameters_cell("01"), namespace)
    assert Parameters.from_cell(namespace) == defaults


def test_papermill_can_read_every_line_of_a_parameters_cell() -> None:
    """It takes a second `=` in a line for one that it can't parse, and then calls the parameter unknown."""
    assert [name for name, field in Parameters.model_fields.items() if "=" in str(field.description)] == []


def test_a_parameters_cell_leaves_the_words_of_a_description_as_they_are() -> None:
    for key in ("04", "05", "rebake", "timed_release"):
        assert not re.search(r"\w\"s ", parameters_cell(key)), key
