"""Pieces of pictures: plain SVG, on paper of its own, so that it looks the same on light and dark pages.

Every state has a fill and a sign of its own: nothing is told by colour alone.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from gbg_lib.views.live.board import SIGNS, Mark
from gbg_lib.views.live.screen import Picture
from gbg_lib.views.shown import BLUE, ORANGE, RED

INK, FAINT, PAPER = "#1f2328", "#57606a", "#ffffff"
WIDTH = 880
HEADLINE, BOLD_LETTER = 13, 0.58
"""a headline's size, and how wide one of its letters is on average, of that size"""
FILLS: dict[Mark, tuple[str, str]] = {
    "done": (BLUE, "#ffffff"),
    "going on": ("#ffe2a0", INK),
    "waiting": (PAPER, FAINT),
    "failed": (RED, "#000000"),
    "undone": ("#d0d7de", INK),
}
"""ground and ink of a state; the contrast of each pair is 4.5 or more, and a test reckons it"""
SIDES = {"blue": ("#0072b2", "#ffffff"), "green": ("#009e73", "#000000"), "nobody": (RED, "#000000")}
FRAMES: dict[Mark, str] = {"going on": ORANGE, "waiting": "#8c959f"}


def picture(height: float, parts: Iterable[str], words: str) -> Picture:
    """`words` says the same, for who can't see it. It is as wide as the place that it is shown in."""
    title = html.escape(words)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' "
        f"role='img' font-family='system-ui, sans-serif' aria-label='{title}'>"
        f"<title>{title}</title><rect width='{WIDTH}' height='{height:.0f}' rx='8' fill='{PAPER}'/>"
        f"{''.join(parts)}</svg>"
    )
    return Picture(svg, words)


def box(x: float, y: float, wide: float, high: float, mark: Mark) -> str:
    ground, _ = FILLS[mark]
    dashes = " stroke-dasharray='4 3'" if mark == "waiting" else ""
    frame = FRAMES.get(mark, INK)
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='{high:.1f}' rx='5' fill='{ground}' "
        f"stroke='{frame}' stroke-width='1.2'{dashes}/>"
    )


def text(
    x: float,
    y: float,
    said: str,
    *,
    size: float = 12,
    ink: str = INK,
    middle: bool = False,
    bold: bool = False,
) -> str:
    anchor = " text-anchor='middle'" if middle else ""
    weight = " font-weight='600'" if bold else ""
    words = html.escape(said)
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{ink}'{anchor}{weight}>{words}</text>"


def headline(y: float, said: str) -> str:
    """In one line, smaller where that is long."""
    size = min(HEADLINE, (WIDTH - 32) / (BOLD_LETTER * max(len(said), 1)))
    return text(16, y, said, size=round(size, 1), bold=True)


def cell(x: float, y: float, size: float, mark: Mark, name: str) -> str:
    """A square with its sign; its name appears where a pointer rests on it."""
    ink = FILLS[mark][1]
    sign = text(x + size / 2, y + size * 0.76, SIGNS[mark], size=size * 0.72, ink=ink, middle=True)
    return f"<g>{box(x, y, size, size, mark)}{sign}<title>{html.escape(name)}</title></g>"


def progress(x: float, y: float, wide: float, share: float, *, over: bool, bad: bool = False) -> str:
    """How much of the usual time has gone."""
    filled = wide * min(max(share, 0.0), 1.0)
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='6' rx='3' fill='#d0d7de'/>"
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{filled:.1f}' height='6' rx='3' "
        f"fill='{RED if bad else BLUE if over else ORANGE}'/>"
    )
