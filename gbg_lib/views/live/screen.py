"""Where a live view is shown: a picture and words, updated in place.

Both are outputs of the cell, not states of a widget: a page that is loaded again, a saved notebook, GitHub
and an export show the last state. A picture is an SVG image without scripts or styles of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gbg_lib.views.cell import belongs
from gbg_lib.views.late import notebook
from gbg_lib.views.live.board import Board

SVG = "image/svg+xml"


class Picture:
    """An SVG and the same in words."""

    def __init__(self, svg: str, words: str) -> None:
        self.svg = svg
        self.words = words

    def __repr__(self) -> str:
        return self.words

    def _repr_svg_(self) -> str:
        return self.svg


class Words:
    """A board as text and as HTML."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __repr__(self) -> str:
        return self.board.text

    def _repr_html_(self) -> str:
        return self.board.markup


class Screen:
    """Picture and words, that come up with the first state; `between` shows something of its own there."""

    def __init__(self, between: Callable[[], None] = lambda: None) -> None:
        self.shown: Board | None = None
        self.draws = 0
        self._between = between
        self._handles: tuple[Any, Any] | None = None

    def show(self, board: Board, draw: Callable[[], Picture] | None = None) -> None:
        """Nothing where nothing has changed; only words where there is nothing to draw."""
        if board == self.shown:
            return
        self.shown = board
        self.draws += 1
        if draw is None:
            notebook.display(Words(board))
        else:
            self._put(draw(), Words(board))

    def _put(self, picture: Picture, words: Words) -> None:
        if self._handles is None:
            self._handles = notebook.DisplayHandle(), notebook.DisplayHandle()
            self._handles[0].display(picture, **belongs("picture"))
            self._between()
            self._handles[1].display(words, **belongs("words"))
        else:
            self._handles[0].update(picture, **belongs("picture"))
            self._handles[1].update(words, **belongs("words"))
