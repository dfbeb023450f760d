"""The catalogue of faults, and what planting refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gbg_lib import faults
from gbg_lib.blueprint import APPLICATION
from gbg_lib.errors import GateRefused, MisuseError, RepositoryError
from gbg_lib.faults import application
from gbg_lib.faults.fault import Fault, Former
from gbg_lib.parameters import Parameters
from gbg_lib.steps import ReleaseRun
from tests.unit.aws_fakes import connected, refusal


class FakeParameters:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_parameter(self, **given: str) -> dict[str, Any]:
        if given["Name"] not in self.kept:
            raise refusal("ParameterNotFound", "no such parameter")
        return {"Parameter": {"Value": self.kept[given["Name"]]}}

    def put_parameter(self, **given: Any) -> dict[str, Any]:
        self.kept[given["Name"]] = given["Value"]
        return {"Version": 1}

    def delete_parameter(self, **given: str) -> dict[str, Any]:
        del self.kept[given["Name"]]
        return {}


class Lamp:
    """A fault that can be seen."""

    def __init__(self) -> None:
        self.on = "off"

    def fault(self) -> Fault:
        return Fault("lamp", "A lamp is on.", look=self.look, plant=self.plant, remove=self.remove)

    def look(self, step: ReleaseRun) -> dict[str, str]:
        return {"was": self.on}

    def plant(self, step: ReleaseRun, former: Former) -> None:
        self.on = "on"

    def remove(self, step: ReleaseRun, former: Former) -> None:
        self.on = former["was"]


def step(parameters: FakeParameters, **values: Any) -> ReleaseRun:
    return ReleaseRun(Parameters(**values), connected(ssm=parameters))


@pytest.mark.parametrize("fault", faults.CATALOGUE.values(), ids=list(faults.CATALOGUE))
def test_a_fault_has_a_name_and_one_sentence(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.name)
    assert re.fullmatch(r"[A-Z][^.]*\.", fault.what)


def test_names_are_unique() -> None:
    assert all(name == fault.name for name, fault in faults.CATALOGUE.items())


def test_another_process_can_take_a_fault_away() -> None:
    lamp, kept = Lamp(), FakeParameters()
    faults.plant(step(kept), lamp.fault())
    assert lamp.on == "on"
    found = faults.planted(step(kept))
    assert found is not None
    assert found.former == {"was": "off"}
    assert faults.remove(step(kept), {"lamp": lamp.fault()}) == "lamp"
    assert lamp.on == "off"
    assert faults.planted(step(kept)) is None


def test_nothing_planted_is_nothing_to_remove() -> None:
    assert faults.remove(step(FakeParameters()), faults.CATALOGUE) == ""


def test_one_fault_at_a_time() -> None:
    lamp, kept = Lamp(), FakeParameters()
    faults.plant(step(kept), lamp.fault())
    with pytest.raises(GateRefused, match="lamp is planted in gbg"):
        faults.plant(step(kept), lamp.fault())


def test_two_deployments_have_a_fault_each() -> None:
    lamp, kept = Lamp(), FakeParameters()
    faults.plant(step(kept), lamp.fault())
    faults.plant(step(kept, deployment="shop"), lamp.fault())
    assert set(kept.kept) == {"/gbg/fault", "/shop/fault"}


@pytest.mark.parametrize("typed", ["", "yes", "gbg"])
def test_aws_is_left_alone_unless_the_deployment_is_typed(typed: str) -> None:
    lamp, kept = Lamp(), FakeParameters()
    with pytest.raises(MisuseError, match="would harm shop on AWS"):
        faults.plant(step(kept, cloud="aws", deployment="shop"), lamp.fault(), confirm=typed)
    assert (lamp.on, kept.kept) == ("off", {})
    faults.plant(step(kept, cloud="aws", deployment="shop"), lamp.fault(), confirm="shop")
    assert lamp.on == "on"


def test_an_unknown_fault_is_answered_with_those_there_are() -> None:
    with pytest.raises(MisuseError, match="hook-hangs"):
        faults.find(faults.CATALOGUE, "hook-hang")


def test_an_edit_that_finds_nothing_to_edit_says_so(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    with pytest.raises(RepositoryError, match="sample application"):
        application.replaced("pom.xml", "release", "x")(tmp_path)


def test_a_hook_goes_wrong_before_it_does_anything(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "prepare.sh").write_bytes((APPLICATION / "scripts" / "prepare.sh").read_bytes())
    application.hook("prepare.sh", "exit 3")(tmp_path)
    assert (tmp_path / "scripts" / "prepare.sh").read_text().splitlines()[:2] == ["#!/bin/bash", "exit 3"]
