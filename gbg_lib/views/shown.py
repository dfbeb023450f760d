"""Something to look at: HTML for a notebook, and the same as text for everything else."""

from __future__ import annotations

import html

BLUE, GREEN, ORANGE, RED, GREY = "#0072b2", "#009e73", "#e69f00", "#d55e00", "#767676"
"""Okabe and Ito's palette: told apart by colour-blind readers, on light and on dark"""
WIDGET = "application/vnd.jupyter.widget-view+json"
"""what a notebook keeps of a live widget; its static twin is beside it"""


class Shown:
    """A view without a life of its own. `text` says everything that `markup` says."""

    def __init__(self, markup: str, text: str) -> None:
        self.markup = markup
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


INK = "#000000"
"""on a ground of one of these colours, on light and on dark pages"""


def note(colour: str, lines: list[str], *, label: str, filled: bool = False) -> Shown:
    """Lines behind a bar of a colour, or on a ground of it; the label says what the colour means."""
    head, *rest = lines
    body = "".join(f"<div>{html.escape(line)}</div>" for line in rest)
    style = f"border-left:.4em solid {colour};padding:.4em .9em;margin:.3em 0;line-height:1.5"
    style += f";background:{colour};color:{INK}" if filled else ""
    opening = f"<div role='note' aria-label='{html.escape(label, quote=True)}' style='{style}'>"
    markup = f"{opening}<strong>{html.escape(head)}</strong>{body}</div>"
    return Shown(markup, "\n".join([f"{label}: {head}", *rest]))


def commands(lines: list[str]) -> str:
    """Markup of command lines, one below the other."""
    text = html.escape("\n".join(lines))
    style = "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0"
    return f"<pre style='{style}'>{text}</pre>"
