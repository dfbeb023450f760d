"""Drills: failing releases to learn from, with a check for each task. On the sandbox nobody is hurt."""

from __future__ import annotations

from gbg_lib.drills.catalogue import DRILLS
from gbg_lib.drills.drill import Drill
from gbg_lib.drills.exercise import Exercise
from gbg_lib.drills.session import Session

__all__ = ["DRILLS", "Drill", "Exercise", "Session"]
