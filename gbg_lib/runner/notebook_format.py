"""nbformat, loaded without what no notebook needs.

It loads jsonschema, which loads a grammar of international addresses (RFC 3987) wherever JupyterLab has
brought one, for more than a second. No schema of notebooks asks for such an address.
"""

from __future__ import annotations

import sys
from typing import Any

GRAMMAR = "rfc3987_syntax"


def _load_without_grammar() -> None:
    """jsonschema leaves out the formats for which nothing is installed; later imports find it as before."""
    known: dict[str, Any] = sys.modules
    if "jsonschema" in known or GRAMMAR in known:
        return
    known[GRAMMAR] = None
    try:
        import jsonschema  # noqa: F401
    finally:
        del known[GRAMMAR]


_load_without_grammar()

import nbformat  # noqa: E402

__all__ = ["nbformat"]
