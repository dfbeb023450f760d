"""Machines: EC2 instances and build containers on this host, without Docker."""

from __future__ import annotations

from gbg_sandbox.machines.choice import Finding, open_machines, probe
from gbg_sandbox.machines.interface import Machine, MachineError, Machines, MachineSpec

__all__ = ["Finding", "Machine", "MachineError", "MachineSpec", "Machines", "open_machines", "probe"]
