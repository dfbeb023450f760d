"""Libraries that most views can do without: each is loaded when one of its names is first used."""

from __future__ import annotations

import importlib
from typing import Any


class Late:
    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module), name)


ipywidgets: Any = Late("ipywidgets")
notebook: Any = Late("IPython.display")
"""https://ipython.readthedocs.io/en/stable/api/generated/IPython.display.html"""
ipython: Any = Late("IPython.core.getipython")
refusals: Any = Late("IPython.core.error")
matplotlib: Any = Late("matplotlib")
figures: Any = Late("matplotlib.figure")
shapes: Any = Late("matplotlib.collections")
axis: Any = Late("gbg_lib.views.time_axis")
"""two runbooks draw; a kernel that does not is half a second earlier there"""
