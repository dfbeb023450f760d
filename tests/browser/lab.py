"""JupyterLab as `gbg lab` starts it, and a runbook in it as a person has it before them.

A person goes by what is to be seen: headings, buttons, labels, the number that a cell has when it has run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.browser.chromium import SHIFT, Chromium
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
NOT_COPIED = ("build", "runs", "records")
"""of the project's own folder, besides what is hidden: what tests and learners have made"""
START_SECONDS, STOP_SECONDS = 300, 180
CELL_SECONDS = 300

OPEN_SECONDS = 300
MOST_TABS = 60

PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
FRONT = f"document.querySelector('{PANEL} .jp-Notebook')"
CELLS = f"[...{FRONT}.querySelectorAll('.jp-Cell')]"
DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
WRONG = "[data-mime-type*=error], [data-mime-type*=stderr]"
ACTIVE = f"{FRONT}.querySelector('.jp-Cell.jp-mod-active')"
SECTIONS = """
(() => {
  let heading = "";
  return CELLS.map(cell => {
    const found = cell.querySelectorAll(".jp-RenderedMarkdown :is(h1, h2, h3)");
    if (found.length) heading = found[found.length - 1].textContent.replace("¶", "").trim();
    return heading;
  });
})()
""".replace("CELLS", CELLS)


def _left_out(folder: str, names: list[str]) -> list[str]:
    top = Path(folder) == ROOT
    return [one for one in names if one == "__pycache__" or (top and (one[0] == "." or one in NOT_COPIED))]


class Lab:
    """A copy of the project, so that what a learner saves changes nothing here, and its own home."""

    def __init__(self, folder: Path) -> None:
        self.project, self._log = folder / "project", folder / "lab.log"
        shutil.copytree(ROOT, self.project, symlinks=True, ignore=_left_out)
        (self.project / ".venv").symlink_to(ROOT / ".venv")
        home = folder / "home"
        home.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GBG_", "JUPYTER"))},
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "GBG_HOME": str(folder / "sandbox"),
            "PYTHONPATH": str(self.project),
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """The address that the terminal shows."""
        with self._log.open("w") as log:
            process = subprocess.Popen(
                ["./gbg", "lab", "--no-browser", "--port", str(free_port())],
                cwd=self.project,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield self._address(process)
        finally:
            _stop(process)
            self.gbg("down")

    def gbg(self, *words: str) -> str:
        done = subprocess.run(
            ["./gbg", *words],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def said(self) -> str:
        return self._log.read_text()

    def _address(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"http://127\.0\.0\.1:\S+token=\w+", self.said())):
            assert process.poll() is None, f"gbg lab ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"gbg lab tells no address:\n{self.said()}"
            time.sleep(0.1)
        return found.group()


class Runbook:
    """The one in front."""

    def __init__(self, browser: Chromium, folder: Path) -> None:
        self._browser, self._folder = browser, folder
        self._length = 0

    def wait_open(self, number: str) -> None:
        """Until it is there from its first heading to its last cell; a kernel need not be there yet."""
        (path,) = self._folder.glob(f"{number}_*.ipynb")
        self._length = len(json.loads(path.read_text())["cells"])
        for there in (
            f"{FRONT}?.querySelector('h1')?.textContent.startsWith('{number}')",
            f"{CELLS}.length >= {self._length}",
        ):
            self._browser.until(there, OPEN_SECONDS)

    def clear(self) -> None:
        """Take away what a former run shows."""
        self.menu("Edit", "Clear Outputs of All Cells")
        self.stand(0)

    def menu(self, name: str, entry: str) -> None:
        for label, text in ((".lm-MenuBar-itemLabel", name), (".lm-Menu-itemLabel", entry)):
            found = _named(f"document.querySelectorAll('{label}')", text)
            self._browser.until(found)
            self._browser.click(found)

    def follow(self, link: str) -> None:
        """Click a link in the text."""
        found = _named(f"{FRONT}.querySelectorAll('a')", link)
        self._browser.until(found)
        self._browser.click(found)

    def open_file(self, name: str) -> None:
        """Double-click it in the list of files."""
        found = _named("document.querySelectorAll('.jp-DirListing-itemText')", name)
        self._browser.until(found)
        self._browser.click(found, times=2)

    def load_again(self, number: int) -> None:
        """The page, while the cell runs: from its first heading to its last cell, and it still runs."""
        self._browser.reload()
        for there in (
            f"{FRONT}?.querySelector('h1') && {CELLS}.length >= {self._length}",
            f"{self.cell(number)}.querySelector('.jp-InputPrompt').textContent.includes('*')",
        ):
            self._browser.until(there, OPEN_SECONDS)

    # --- cells ---

    def sections(self) -> list[str]:
        """The heading above each cell."""
        return list(self._browser.value(SECTIONS))

    def section(self) -> str:
        """The heading above the active cell; empty in the new cell that JupyterLab makes behind the last."""
        active = self.active()
        return self.sections()[active] if active < self._length else ""

    def cell(self, number: int) -> str:
        """A script that gives it."""
        return f"{CELLS}[{number}]"

    def active(self) -> int:
        return int(self._browser.value(f"{CELLS}.indexOf({ACTIVE})"))

    def stand(self, number: int) -> None:
        """Click beside a cell, left of what it holds."""
        self._browser.click(f"{self.cell(number)}.querySelector('.jp-InputPrompt')")
        self._browser.until(f"{ACTIVE} === {self.cell(number)}")

    def press(self) -> int:
        """Shift+Enter: the active cell runs, and the next one becomes active; which it was."""
        number = self.active()
        self._browser.press("Enter", SHIFT)
        self._browser.until(f"{ACTIVE} !== {self.cell(number)}")
        return number

    def press_run_button(self) -> int:
        """The same with the mouse."""
        number = self.active()
        self._browser.click(f"document.querySelector('{PANEL} [data-command^=\"notebook:run-cell\"]')")
        self._browser.until(f"{ACTIVE} !== {self.cell(number)}")
        return number

    def wait_run(self, number: int) -> str:
        """Until the cell has a number of its own; what it shows. An error in it fails."""
        cell = self.cell(number)
        self._browser.until(f"{cell}.matches('.jp-MarkdownCell') || {self._has_run(number)}", CELL_SECONDS)
        self._browser.value(DRAWN)
        shown = self.shown(number)
        assert not self._browser.value(f"Boolean({cell}.querySelector('{WRONG}'))"), shown
        return shown

    def _has_run(self, number: int) -> str:
        return f"/[0-9]/.test({self.cell(number)}.querySelector('.jp-InputPrompt').textContent)"

    def interrupt(self, number: int) -> str:
        """By the menu, while the cell runs; what it shows then."""
        self.menu("Kernel", "Interrupt Kernel")
        return self.wait_failed(number)

    def wait_failed(self, number: int) -> str:
        """Until a cell that never failed before has failed; what it shows."""
        self._browser.until(f"{self.cell(number)}.querySelector('{WRONG}')", CELL_SECONDS)
        self._browser.until(self._has_run(number), CELL_SECONDS)
        return self.shown(number)

    def run_again(self, number: int) -> None:
        """Begin a cell that ran before."""
        self.stand(number)
        self.press()
        self._browser.until(f"{self.cell(number)}.querySelector('.jp-InputPrompt').textContent.includes('*')")

    def shown(self, number: int) -> str:
        """Laid out as far as the cell is on the screen, else plain."""
        outputs = f"{self.cell(number)}.querySelector('.jp-Cell-outputWrapper')"
        return str(self._browser.value(f"{outputs}?.innerText || {outputs}?.textContent || ''"))

    def up_to(self, section: str) -> None:
        """Run cell after cell until the active one is the first of the next section of that name."""
        while (at := self.section()) != section:
            assert at, f"there is no section {section!r} any more"
            self.wait_run(self.press())

    def through(self, code: str) -> int:
        """Run cell after cell to the next one with this in its code; its number."""
        while True:
            number = self.active()
            wanted = self._browser.value(f"{self.cell(number)}.innerText.includes({json.dumps(code)})")
            self.wait_run(self.press())
            if wanted:
                return number

    def run(self, section: str) -> str:
        """Run cell after cell, to the end of the next section of that name; what the section shows."""
        self.up_to(section)
        shown = []
        while self.section() == section:
            shown.append(self.wait_run(self.press()))
        return "\n".join(shown)

    # --- what cells show ---

    def field(self, name: str) -> str:
        """A script that gives the input with this label."""
        label = _named(f"{FRONT}.querySelectorAll('.widget-label, .widget-label-basic')", name)
        return f"{label}?.parentElement.querySelector('input, select')"

    def fill(self, name: str, text: str) -> None:
        """Type into the field with this label, over what is in it."""
        self._browser.until(self.field(name))
        self._browser.click(self.field(name))
        self._browser.select_all()
        self._browser.type(text)

    def type_in(self, form: int, name: str, text: str) -> None:
        """`fill`, until the command below the form shows that the kernel knows it."""
        self.fill(name, text)
        self.wait_told(form, name, text)

    def wait_told(self, form: int, name: str, value: str) -> None:
        """Until the command below the form has this value."""
        lines = f"[...{self.cell(form)}.querySelectorAll('pre')]"
        told = json.dumps(f"{name}={value}")
        self._browser.until(f"{lines}.some(one => one.textContent.includes({told}))")

    def choose(self, button: str) -> None:
        """Press a button that a cell shows."""
        self._browser.until(self.button(button))
        self._browser.click(self.button(button))

    def told(self, number: int) -> list[tuple[str, str, str]]:
        """Role, name and description of what a screen reader is told of a cell's outputs."""
        return self._browser.accessible(self.outputs(number))

    def outputs(self, number: int) -> str:
        """A script that gives what a cell shows; null where it shows nothing."""
        return f"{self.cell(number)}.querySelector('.jp-Cell-outputWrapper')"

    def nameless(self) -> list[str]:
        """What a screen reader can't name in what all cells show."""
        shows = "one.querySelector('.jp-Cell-outputWrapper') ? [number] : []"
        numbers = self._browser.value(f"{CELLS}.flatMap((one, number) => {shows})")
        return [one for number in numbers for one in self._browser.nameless(self.outputs(number))]

    def tab_to(self, element: str, *, back: bool = False) -> None:
        """With the Tab key alone; what has the focus is outlined."""
        for _ in range(MOST_TABS):
            self._browser.press("Tab", SHIFT if back else 0)
            if self._browser.value(f"document.activeElement === {element}"):
                assert self._browser.value(f"getComputedStyle({element}).outlineStyle") == "solid"
                return
        raise AssertionError(f"{element} can't be reached with the Tab key")

    def button(self, name: str) -> str:
        """A script that gives a button that a cell shows."""
        return _named(f"{FRONT}.querySelectorAll('.jp-OutputArea button')", name)

    def pictures(self, section: str) -> int:
        """How many pictures a section shows."""
        images = "cell.querySelectorAll('.jp-OutputArea :is(.jp-RenderedSVG, .jp-RenderedImage)').length"
        counted = f"{CELLS}.map((cell, number) => {SECTIONS}[number] === {json.dumps(section)} && {images})"
        return sum(self._browser.value(counted))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """A server that was just starting a kernel may wait for it for ever; a kernel ends without it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _named(these: str, text: str) -> str:
    """A script that gives the last of these elements that is called so."""
    return f"[...{these}].findLast(one => one.textContent.trim() === {json.dumps(text)})"
