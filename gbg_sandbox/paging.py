"""Pages of a list with an opaque token, for the many operations that answer in pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from gbg_sandbox.service import AwsError

T = TypeVar("T")


def page(
    items: Sequence[T], token: str | None, limit: int, *, invalid: str = "InvalidNextToken"
) -> tuple[list[T], str | None]:
    """The page that starts at `token` and the token of the next one; None after the last.

    Raises AwsError `invalid` for a token that was not given out here.
    """
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("from:"))
        except (ValueError, binascii.Error) as error:
            raise AwsError(invalid, "The specified token is not valid.") from error
    end = start + limit
    following = base64.urlsafe_b64encode(f"from:{end}".encode()).decode() if end < len(items) else None
    return list(items[start:end]), following
