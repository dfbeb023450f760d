"""Questions to answer before the step that answers them: first predict, then run, then compare."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from gbg_lib.progress import Progress
from gbg_lib.views.banner import WALKTHROUGH, mode
from gbg_lib.views.late import ipywidgets
from gbg_lib.views.shown import GREEN, ORANGE, WIDGET, note


class Question:
    """`choices` maps each answer to why it is right or wrong; `right` is one of them."""

    def __init__(self, task: str, text: str, choices: Mapping[str, str], right: str) -> None:
        if right not in choices:
            raise ValueError(f"{right!r} is none of the choices")
        self.task, self.text, self.choices, self.right = task, text, dict(choices), right
        self.answer = ""
        self._told = ipywidgets.HTML()

    def choose(self, answer: str) -> bool:
        """Whether it is right; kept in the learner's progress."""
        self.answer = answer
        right = answer == self.right
        Progress().note(self.task, right=right)
        verdict = "right" if right else "not quite"
        lines = [f"{verdict.capitalize()}: {answer}", self.choices[answer]]
        self._told.value = note(GREEN if right else ORANGE, lines, label=verdict).markup
        return right

    def _widget(self) -> Any:
        buttons = ipywidgets.ToggleButtons(options=list(self.choices), value=None, description="Your answer")
        buttons.style.button_width = "auto"
        buttons.observe(lambda change: self.choose(change["new"]), names="value")
        asked = ipywidgets.HTML(f"<strong>{html.escape(self.text)}</strong>")
        box = ipywidgets.VBox([asked, buttons, self._told])
        for part, called in ((box, "question-box"), (asked, "question"), (self._told, "verdict")):
            part.add_class(f"gbg-{called}")
        return box

    def __repr__(self) -> str:
        return "\n".join([self.text, *(f"  - {choice}" for choice in self.choices)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        items = "".join(
            f"<details><summary>{html.escape(choice)}</summary>{html.escape(why)}</details>"
            for choice, why in self.choices.items()
        )
        markup = f"<p><strong>{html.escape(self.text)}</strong></p>{items}"
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": markup}
        if mode() == WALKTHROUGH:
            bundle[WIDGET] = self._widget()._repr_mimebundle_()[WIDGET]
        return bundle


def predict(runbook: str, name: str) -> Question:
    """The question of a runbook, by its name."""
    text, choices, right = QUESTIONS[(runbook, name)]
    return Question(f"{runbook}: {text}", text, choices, right)


QUESTIONS: dict[tuple[str, str], tuple[str, dict[str, str], str]] = {
    ("01", "first page"): (
        "The stack brings up its machines, and nothing was built or released yet. What will a visitor see?",
        {
            "An error: there is no application": "The first machines put up a plain page themselves.",
            "A plain page": "The first machines put it up while they start, so that there is a healthy blue.",
            "The sample application": "It comes with the first release, in runbook 04.",
        },
        "A plain page",
    ),
    ("02", "push"): (
        "The first commit is pushed, and there is no pipeline yet. What does the push set off?",
        {
            "A release": "Runbook 03 makes what would release it.",
            "Nothing": "A repository only keeps commits; what listens to it comes with runbook 03.",
            "An error": "A push needs a repository, and nothing behind it.",
        },
        "Nothing",
    ),
    ("03", "first"): (
        "Nobody pushes anything after the pipeline is made. What will it do?",
        {
            "Wait for the next push": "A new pipeline runs once with what is on the branch already.",
            "Release the commit of runbook 02": "A new pipeline runs once by itself.",
            "Fail, for there is no golden AMI yet": "Its second stage bakes one, from the source AMI.",
        },
        "Release the commit of runbook 02",
    ),
    ("04", "bad hook"): (
        "Suppose the last hook fails on the first green machine. What do visitors see?",
        {
            "The new version, with errors": "Traffic moves only after every hook succeeded on green.",
            "The old version, as if nothing happened": "Blue serves until all of green is proved.",
            "Half of each": "A release moves as a whole: all of green, or nothing of it.",
        },
        "The old version, as if nothing happened",
    ),
    ("05", "image"): (
        "The application goes back to the last good release. What about the operating system below it?",
        {
            "It stays as it is now": "Old application and new image have never been tested together.",
            "It goes back, too": "Application and image of one release belong together.",
            "A new image is baked": "That takes long, and would be one more change.",
        },
        "It goes back, too",
    ),
    ("07", "machines"): (
        "The stack takes over the fleet that serves. How many of its machines are replaced?",
        {
            "All, one after the other": "An import describes what is there, as it is.",
            "None": "An import changes who owns the fleet, and no machine.",
            "Half of them": "Nothing about a machine is changed.",
        },
        "None",
    ),
    ("09", "left"): (
        "The whole deployment is removed. What is left of its releases?",
        {
            "Nothing": "Their records are kept, unless `remove_records` says otherwise.",
            "Their golden AMIs": "An image costs money as long as it stays: it goes, with its snapshot.",
            "Their records": "What happened is still worth reading when all else is gone (runbook 06).",
        },
        "Their records",
    ),
}
