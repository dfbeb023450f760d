"""A misspelt name is offered the right one; for a name of something else none is."""

from __future__ import annotations

import pytest

from gbg_lib.nearest import nearest
from gbg_lib.parameters import Parameters


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("instance_cuont", "instance_count"),
        ("deploymnet", "deployment"),
        ("brnach", "branch"),
        ("seeds", "seed"),
        ("gate", "gate_minutes"),
        ("count", "instance_count"),
        ("keep", "keep_images"),
        ("aws_region", "region"),
        ("deployment_name", "deployment"),
    ],
)
def test_what_is_near_is_offered(word: str, meant: str) -> None:
    assert nearest(word, Parameters.model_fields) == meant


@pytest.mark.parametrize(
    "word", ["min_mun", "colour", "token", "site_url", "hours", "timeout", "foo", "x", ""]
)
def test_what_is_far_off_is_not(word: str) -> None:
    assert nearest(word, Parameters.model_fields) == ""


def test_where_there_is_nothing_nothing_is_near() -> None:
    assert nearest("gate_minutes", []) == ""
