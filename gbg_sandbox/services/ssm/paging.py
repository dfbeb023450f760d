"""Pages of lists: MaxResults and NextToken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gbg_sandbox.service import AwsError


def page(
    key: str, items: Sequence[Any], params: dict[str, Any], *, largest: int = 50, **fields: Any
) -> dict[str, Any]:
    """One page under `key`; the token is the position of the next item."""
    token = params.get("NextToken") or "0"
    if not token.isdigit() or int(token) > len(items):
        raise AwsError("InvalidNextToken", "The specified token is not valid.")
    start = int(token)
    end = start + min(params.get("MaxResults") or largest, largest)
    found: dict[str, Any] = {key: list(items[start:end]), **fields}
    if end < len(items):
        found["NextToken"] = str(end)
    return found
