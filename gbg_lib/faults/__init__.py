"""Faults to plant in a deployment, so that a failing release can be tried and learnt from."""

from __future__ import annotations

from gbg_lib.faults import application, bake, deployment, function, machines, rights
from gbg_lib.faults.fault import Fault
from gbg_lib.faults.planting import Planted, begin, find, forget, plant, planted, remove

CATALOGUE: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        *application.FAULTS,
        *bake.FAULTS,
        *function.FAULTS,
        *rights.FAULTS,
        *deployment.FAULTS,
        *machines.FAULTS,
    )
}

__all__ = ["CATALOGUE", "Fault", "Planted", "begin", "find", "forget", "plant", "planted", "remove"]
