"""Inputs that AWS knows and this sandbox doesn't act on are refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError


def refuse_inputs(params: Mapping[str, Any], *names: str) -> None:
    """Raises AwsError when one of these inputs was given."""
    for name in names:
        if params.get(name) not in (None, "", [], {}):
            raise AwsError("ValidationException", f"gbg_sandbox does not run {name}; leave it out")
