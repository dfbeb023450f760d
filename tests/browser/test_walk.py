"""From runbook 00 to 09 as a person goes: in JupyterLab as `gbg lab` starts it, with keys, mouse and eyes.

One walk, in this order, on one sandbox: each runbook stands on what those before it left.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import QUIET
from tests.browser.lab import Lab, Runbook

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "build" / "walk"
BANNER = "Walkthrough · sandbox, account 123456789012, us-east-1 · deployment gbg"

pytestmark = pytest.mark.xdist_group("walk")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="gbg-walk-"))
    try:
        yield Lab(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def page(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser, opened on the address that `gbg lab` tells."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with lab.running() as address:
        opened = Chromium(chromium, tmp_path_factory.mktemp("chromium"), QUIET)
        try:
            opened.open(address)
            yield opened
        finally:
            opened.keep(PICTURES / "last.png")
            opened.close()


@pytest.fixture
def runbook(page: Chromium, lab: Lab) -> Iterator[Runbook]:
    """What is in front; the browser's console has nothing to complain of."""
    page.errors.clear()
    yield Runbook(page, lab.project / "runbooks")
    assert page.errors == []


def begin(page: Chromium, runbook: Runbook, link: str) -> None:
    """To the next runbook by its link, and what a former run shows away."""
    runbook.follow(link)
    runbook.wait_open(link[:2])
    runbook.clear()


def fill_in(runbook: Runbook, **typed: str) -> int:
    """The form as far as it is to be changed; the cell that shows it."""
    form = runbook.through("views.form")
    for name, text in typed.items():
        runbook.fill(name, text)
    return form


def see(page: Chromium, name: str) -> None:
    page.keep(PICTURES / f"{name}.png")


def test_00_welcomes(page: Chromium, runbook: Runbook) -> None:
    runbook.wait_open("00")
    assert "Would you like" not in page.text()
    see(page, "00-opened")
    runbook.clear()
    shown = runbook.run("Parameters")
    assert BANNER in shown
    assert "It only looks." in shown
    assert "not there yet; runbook 01 makes it" in runbook.run("Check")
    assert "Still to come" in runbook.run("How to read a runbook")
    assert runbook.pictures("How to read a runbook") == 1
    see(page, "00-done")


def test_01_makes_the_base_stack(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "01 · Base stack")
    form = fill_in(runbook, termination_wait_minutes="soon")
    page.until(f"{runbook.cell(form)}.querySelector('[role=alert]')?.textContent.includes('soon')")
    see(page, "01-form-refuses")
    runbook.fill("termination_wait_minutes", "2")
    page.until_seen("./gbg run 1 -p termination_wait_minutes=2")
    see(page, "01-form")
    runbook.stand(form + 1)
    assert BANNER in runbook.run("Parameters")
    assert "create, because it does not exist yet" in runbook.run("Plan")
    see(page, "01-plan")
    runbook.up_to("Apply")
    runbook.press()
    cell = runbook.press()
    page.until(f"{runbook.cell(cell)}.innerText.includes('CREATE_IN_PROGRESS')")
    see(page, "01-live")
    assert "CREATE_COMPLETE" in runbook.wait_run(cell)
    assert "2 instances serve" in runbook.run("Check")
    see(page, "01-check")
    assert "SiteUrl" in runbook.run("What is there now")
    assert "aws cloudformation create-change-set" in runbook.run("What just happened")
    assert runbook.pictures("What just happened") == 1
    see(page, "01-happened")


def test_02_seeds_the_repository_with_the_mouse_alone(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "02 · Seed the repository")
    shown = ""
    while runbook.section():
        shown += runbook.wait_run(runbook.press_run_button())
    assert BANNER in shown
    assert "because the repository is empty" in shown
    assert "Add the sample application" in shown
    assert "git push" in shown
    assert runbook.pictures("What just happened") == 1
    see(page, "02-done")


def test_03_makes_the_pipeline_and_a_prediction(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "03 · Pipeline")
    assert BANNER in runbook.run("Parameters")
    assert "create, because it does not exist yet" in runbook.run("Plan")
    runbook.choose("Wait for the next push")
    page.until_seen("A new pipeline runs once with what is on the branch already.")
    runbook.choose("Release the commit of runbook 02")
    page.until("document.querySelector('[role=note][aria-label=right]')")
    see(page, "03-predicted")
    runbook.stand(runbook.sections().index("Apply"))
    assert "CREATE_COMPLETE" in runbook.run("Apply")
    assert "Source → BuildGoldenAMI → Build → Deploy" in runbook.run("Check")
    assert runbook.run("What just happened")
    see(page, "03-happened")


def test_04_follows_a_release(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "04 · Release")
    assert BANNER in runbook.run("Parameters")
    assert "Following one release" in runbook.run("Plan")
    runbook.choose("The old version, as if nothing happened")
    page.until("document.querySelector('[role=note][aria-label=right]')")
    runbook.stand(runbook.sections().index("Follow"))
    runbook.press()
    cell = runbook.press()
    page.until(f"{runbook.cell(cell)}.innerText.includes('InProgress')")
    see(page, "04-live")
    runbook.wait_run(cell)
    see(page, "04-followed")
    assert "runs ami-" in runbook.run("Check")
    assert "Succeeded" in runbook.run("What happened")
    assert runbook.pictures("What happened") == 1
    see(page, "04-machines")
    assert "written" in runbook.run("Keep the record")
    assert "Golden AMI, Green fleet" in runbook.run("What just happened")
    assert runbook.pictures("What just happened") == 1
    see(page, "04-happened")


def test_05_finds_nothing_to_go_back_from(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "05 · Rollback")
    assert BANNER in runbook.run("Parameters")
    assert "there is no good release before the one that serves" in runbook.run("Plan")
    see(page, "05-ways")
    assert "skipped" in runbook.run("Apply")
    assert "failed" not in runbook.run("Check")
    runbook.run("What just happened")
    see(page, "05-happened")


def test_06_reads_the_record_that_04_wrote(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "06 · Replay")
    form = fill_in(runbook, record="newest")
    page.until_seen("./gbg run 6 -p record=newest")
    runbook.stand(form + 1)
    assert "Succeeded: Add the sample application" in runbook.run("Plan")
    assert "every file is as it was written" in runbook.run("Check")
    assert "succeeded after" in runbook.run("The story")
    assert runbook.pictures("The story") == 1
    see(page, "06-story")
    runbook.run("For the post-mortem")
    see(page, "06-end")


def test_07_repairs_the_stack(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "07 · Repair")
    assert BANNER in runbook.run("Parameters")
    assert "which is gone" in runbook.run("Plan")
    see(page, "07-plan")
    assert "UPDATE_COMPLETE" in runbook.run("Apply")
    assert "stack and fleet agree" in runbook.run("Check")
    assert "nothing was removed: sweep is not set" in runbook.run("Left behind")
    see(page, "07-done")


def test_08_is_a_drill(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "08 · Drills")
    form = fill_in(runbook, predictions="stage=Build, serves=blue, cause=application")
    runbook.stand(form + 1)
    assert BANNER in runbook.run("Parameters")
    assert "3 of 3 predictions made" in runbook.run("Plan")
    assert "Failed" in runbook.run("Apply")
    see(page, "08-failed")
    shown = runbook.run("Check")
    assert shown.count("right") >= 3, shown
    see(page, "08-right")
    assert "COMPILATION ERROR" in shown
    assert "5 stages done" in runbook.run("Restore")
    assert "it is gone" in runbook.run("Check")
    see(page, "08-done")


def test_09_takes_it_all_away_when_the_name_is_typed(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "09 · Teardown")
    fill_in(runbook, confirm="gbg")
    runbook.run("Parameters")
    assert "a month as they stand" in runbook.run("Plan")
    see(page, "09-plan")
    runbook.run("Apply")
    see(page, "09-gone")
    assert "nothing" in runbook.run("Check")
    see(page, "09-check")


def test_what_was_done_is_kept_as_progress(lab: Lab) -> None:
    told = lab.gbg("progress")
    assert "04" in told
