"""The site as visitors see it: its address, what it answers, and in `gbg lab` the page itself in a frame."""

from __future__ import annotations

import html
import os
import re
from typing import TYPE_CHECKING

from IPython import display as notebook

from gbg_lib.fleet import Page, read_page
from gbg_lib.progress import LEARNER
from gbg_lib.views.cell import belongs
from gbg_lib.views.shown import Shown

if TYPE_CHECKING:
    from gbg_lib.steps import Step

TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)
HIGH, LOW = 360, 220
"""pixels of a frame; the low one leaves room for what else goes on"""
MIXED = "A frame that stays empty: a browser shows no http page inside an https one. The link opens it."


def site(step: Step) -> Shown:
    """A frame only where somebody looks: in a saved notebook it would show another day's site, or none."""
    url = step.base["SiteUrl"]
    told = _told(step.page())
    link = f"<p><a href='{html.escape(url)}' target='_blank' rel='noopener'>{html.escape(url)}</a> "
    markup, text = f"{link}{html.escape(told)}</p>", f"{url} {told}"
    if os.environ.get(LEARNER):
        markup += _frame(url) + (f"<p>{MIXED}</p>" if step.parameters.cloud == "aws" else "")
    return Shown(markup, text)


class Frame:
    """The page in a frame while a release goes on: loaded anew when another colour answers.

    Only where somebody looks (`gbg lab`); elsewhere the rows of visits say who answers.
    """

    def __init__(self, url: str) -> None:
        self._url = url if os.environ.get(LEARNER) else ""
        self._shown: str | None = None
        self._handle = notebook.DisplayHandle()

    def show(self, who: str = "") -> None:
        """`who` answered last: blue, green or nobody; empty before anybody was asked."""
        if not self._url or who == self._shown:
            return
        text = f"The site now{f', answered by {who}' if who else ''}: {self._url}"
        shown = Shown(f"<p>{html.escape(text)}</p>{_frame(self._url, LOW)}", text)
        put = self._handle.display if self._shown is None else self._handle.update
        put(shown, **belongs("site"))
        self._shown = who


def _told(page: Page) -> str:
    found = TITLE.search(page.body)
    title = html.unescape(found.group(1)) if found else ""
    health = read_page(page.url + "health").facts
    facts = f"; deployment {health['deployment']}" if "deployment" in health else ""
    return f"answers {page.status}{f': {title}' if title else ''}{facts}"


def _frame(url: str, high: int = HIGH) -> str:
    """Without rights: the page may run nothing in the notebook's name."""
    address = html.escape(url, quote=True)
    return (
        f"<iframe src='{address}' title='The site as visitors see it' sandbox='' loading='lazy' "
        f"width='100%' height='{high}' style='border:1px solid #8c959f;background:#ffffff'></iframe>"
    )
