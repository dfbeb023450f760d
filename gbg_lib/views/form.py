"""The parameters as a form, drawn from their schema: what one types is checked at once.

What the form sets is what the parameters cell sets; it writes the equivalent command and file below. Where no
person is at the keyboard it is a table, and so it is in a saved notebook.
"""

from __future__ import annotations

import html
import shlex
import time
from collections.abc import Callable, MutableMapping
from typing import Any, get_args

import yaml

from gbg_lib.errors import GbgError
from gbg_lib.parameters import Parameters, checked, kind, names_for, parse_assignments
from gbg_lib.views.banner import WALKTHROUGH, mode
from gbg_lib.views.late import ipython, ipywidgets
from gbg_lib.views.shown import RED, WIDGET, commands
from gbg_lib.views.tables import parameters_table

WRONG = f"border-left:.3em solid {RED};padding-left:.4em"
"""a bar and a sign: the words keep the page's own colour, which can be read on it"""
SETTLED_SECONDS = 0.3
"""without a further letter"""
EMPTY = "(empty)"
"""how a choice without letters is called"""
NAME_WIDTH, VALUE_WIDTH, MEANING_WIDTH = "13em", "17em", "20em"


class Form:
    """A field a parameter. A value that does not fit is told beside its field and changes nothing."""

    def __init__(
        self,
        runbook: str,
        namespace: MutableMapping[str, Any],
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.runbook = runbook
        self._ticks = ticks
        self._sleep = sleep
        self.fields: dict[str, Any] = {}
        self.told: dict[str, Any] = {}
        self._namespace = namespace
        self._names = [name for name in names_for(runbook) if name in namespace]
        self._equivalent = ipywidgets.HTML()
        self._changed = 0.0

    def values(self) -> dict[str, Any]:
        """As they are now. Raises ParameterError."""
        now = checked({name: self._namespace[name] for name in self._names}, "form")
        return {name: getattr(now, name) for name in self._names}

    def set(self, name: str, typed: object) -> None:
        """What a person typed; the parameter takes it when it fits."""
        self._changed = self._ticks()
        try:
            self._namespace[name] = parse_assignments([f"{name}={typed}"])[name]
            told = ""
        except GbgError as error:
            told = html.escape(f"✗ {self._refusal(name, typed, error.what)}")
        self.told[name].value = f"<span role='alert' style='{WRONG}'>{told}</span>" if told else ""
        self._equivalent.value = self._equivalents_markup()

    def _refusal(self, name: str, typed: object, why: str) -> str:
        """What was not taken, what stays, and what would fit; a pattern is told by what it fits."""
        field = Parameters.model_fields[name]
        patterned = any(getattr(bound, "pattern", None) for bound in field.metadata)
        if patterned and field.default:
            why = f"write it like {field.default}"
        elif field.metadata or field.annotation is not str:
            why = f"it has to be {kind(field)}"
        return f"{str(typed)!r} is not taken, {self._namespace[name]!r} stays: {why}"

    def settle(self, *_: object) -> None:
        """Before a cell runs: what is typed arrives letter by letter, beside the cells."""
        while self._changed and self._ticks() - self._changed < SETTLED_SECONDS:
            self._sleep(SETTLED_SECONDS / 5)

    @property
    def command(self) -> str:
        """The command that runs this runbook with what differs from the defaults."""
        words = ["./gbg", "run", self.runbook.lstrip("0") or "0"]
        for name, value in self._differing().items():
            words += ["-p", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        return shlex.join(words)

    @property
    def file(self) -> str:
        """The same as a file of `parameters/`."""
        return yaml.safe_dump(self._differing(), sort_keys=False).strip() if self._differing() else ""

    def _differing(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.values().items()
            if value != Parameters.model_fields[name].default
        }

    # --- looks ---

    def widget(self) -> Any:
        rows = [self._row(name, value) for name, value in self.values().items()]
        self._equivalent.value = self._equivalents_markup()
        return ipywidgets.VBox([*rows, self._equivalent])

    def _row(self, name: str, value: object) -> Any:
        field = Parameters.model_fields[name]
        made = _field(field.annotation, value)
        made.description, made.tooltip = name, f"{field.description} ({kind(field)})"
        made.style = {"description_width": NAME_WIDTH}
        made.layout = ipywidgets.Layout(width=f"calc({NAME_WIDTH} + {VALUE_WIDTH})")
        self.fields[name], self.told[name] = made, ipywidgets.HTML()
        made.observe(lambda change: self.set(name, change["new"]), names="value")
        meaning = ipywidgets.HTML(f"<span>{html.escape(field.description or '')}</span>")
        meaning.layout = ipywidgets.Layout(flex=f"1 1 {MEANING_WIDTH}", width="auto")
        self.told[name].layout = ipywidgets.Layout(margin=f"0 0 0 {NAME_WIDTH}")
        layout = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        row = ipywidgets.VBox([ipywidgets.Box([made, meaning], layout=layout), self.told[name]])
        for part, called in ((row, "gbg-row"), (meaning, "gbg-meaning"), (self.told[name], "gbg-told")):
            part.add_class(called)
        return row

    def _equivalents_markup(self) -> str:
        file = (
            f"<p>or, in a file of <code>parameters/</code>:</p>{commands([self.file])}" if self.file else ""
        )
        return f"<p>The same without this form:</p>{commands([self.command])}{file}"

    def __repr__(self) -> str:
        lines = [repr(self._table()), "The same without this form:", self.command]
        return "\n".join([*lines, *(["or, in a file of parameters/:", self.file] if self.file else [])])

    def _table(self) -> Any:
        return parameters_table(checked(self.values(), "form"), self.runbook)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        markup = self._table()._repr_html_() + self._equivalents_markup()
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": markup}
        if mode() == WALKTHROUGH:
            if shell := ipython.get_ipython():
                shell.events.register("pre_run_cell", self.settle)
            bundle[WIDGET] = self.widget()._repr_mimebundle_()[WIDGET]
        return bundle


def form(runbook: str, namespace: MutableMapping[str, Any]) -> Form:
    """For a notebook's cell below its parameters cell: `views.form("01", globals())`."""
    return Form(runbook, namespace)


def _field(annotation: Any, value: Any) -> Any:
    if choices := get_args(annotation):
        called = [(choice or EMPTY, choice) for choice in choices]
        return ipywidgets.Dropdown(options=called, value=value)
    if annotation is bool:
        return ipywidgets.Checkbox(value=value, indent=True)
    return ipywidgets.Text(value=str(value), continuous_update=True)
