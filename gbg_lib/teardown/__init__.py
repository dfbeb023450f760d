"""Runbook 09: what a deployment consists of, what it costs, and how all of it goes away.

Everything is decided from the live state at each start, so an interrupted run is simply run again. What does
not carry the deployment's tag, or belong to a stack that does, is never touched.
"""

from gbg_lib.teardown.inventory import Inventory, read_inventory
from gbg_lib.teardown.kinds import Found
from gbg_lib.teardown.plan import Removal, TeardownPlan
from gbg_lib.teardown.step import Teardown

__all__ = ["Found", "Inventory", "Removal", "Teardown", "TeardownPlan", "read_inventory"]
