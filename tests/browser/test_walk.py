"""From runbook 00 to 09 as a person goes: in JupyterLab as `gbg lab` starts it, with keys, mouse and eyes.

One walk, in this order, on one sandbox: each runbook stands on what those before it left.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from gbg_lib.aws import Aws
from gbg_lib.parameters import Parameters, names_for
from gbg_lib.pipeline import DEPLOY
from tests.browser.chromium import SHIFT, Chromium
from tests.browser.conftest import QUIET, seated
from tests.browser.lab import FRONT, Lab, Runbook

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "build" / "walk"
BANNER = "Walkthrough · sandbox, account 123456789012, us-east-1 · deployment gbg"

RIGHT = "✓ Right"
MADE = r"CREATE_COMPLETE: (\d+) of \1 resources done"
RELEASED = r"(\d+) of \1 stages and gates done"
MINUTES = 300
FIELDS = ("textbox", "combobox", "checkbox")
IN_SIGHT = """
(({top, bottom}) => top >= 0 && bottom <= innerHeight)(
  %s.querySelector(".jp-RenderedSVG").getBoundingClientRect())
"""
CLIPPED = f"""
[...{FRONT}.querySelectorAll('.jp-OutputArea img')].some(one =>
  one.getBoundingClientRect().right > one.closest('.jp-OutputArea').getBoundingClientRect().right + 1)
"""

PICTURES_NAMED = f"""
[...{FRONT}.querySelectorAll('.jp-RenderedImage img')].map(one => one.alt.split(':')[0]).join()
"""
SCROLLS = "[...document.querySelectorAll('.wide')].some(one => one.scrollWidth > one.clientWidth)"

COUNTING = """
import itertools, pathlib, time
from gbg_lib.views.live import board, screen, svg

view, enough = screen.Screen(), pathlib.Path("{enough}")
for number in itertools.count():
    over = "over: " if enough.exists() else ""
    title = over + f"counted to {{number}}"
    view.show(board.Board(title, ()), lambda: svg.picture(60, [svg.headline(24, title)], title))
    if over:
        break
    time.sleep(0.2)
"""
LOADED_AGAIN = re.compile(
    r'\[{"type": "string", "value": "Comm not found for comm id [0-9a-f-]{36}"}\]'
    r'|\[{"type": "object", .*"description": "Error: widget model not found\\n.*'
)
"""JupyterLab's own, at each reload while a kernel is busy, in a notebook without widgets as well: its widget
manager asks for them, gives up after four seconds, and does not know the answer when the cell ends at last;
on a slow machine it draws widgets of the tabs that were open before it has them"""

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
    with seated(lab, tmp_path_factory.mktemp("chromium"), PICTURES) as opened:
        yield opened


@pytest.fixture(scope="module")
def console(lab: Lab, page: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A second window on what `gbg lab` tells besides: the sandbox's own page."""
    told = re.search(r"what happens in it: (\S+)", lab.said())
    assert told
    opened = Chromium(str(shutil.which("chromium")), tmp_path_factory.mktemp("console"), QUIET)
    try:
        opened.open(told.group(1))
        opened.until("document.querySelector('.live.on')")
        yield opened
    finally:
        opened.close()


@pytest.fixture
def runbook(page: Chromium, lab: Lab) -> Iterator[Runbook]:
    """What is in front; the browser's console has nothing to complain of."""
    page.errors.clear()
    yield Runbook(page, lab.project / "runbooks")
    assert page.errors == []


def begin(page: Chromium, runbook: Runbook, name: str) -> None:
    """The next runbook by its link, or from the list of files; what a former run shows away."""
    if name.endswith(".ipynb"):
        runbook.open_file(name)
    else:
        runbook.follow(name)
    runbook.wait_open(name[:2])
    runbook.clear()


def fill_in(page: Chromium, runbook: Runbook, name: str, text: str) -> None:
    """One field of the form, and on below it."""
    form = runbook.through("views.form")
    runbook.type_in(form, name, text)
    see(page, f"form-{name}")
    runbook.stand(form + 1)


def predict(page: Chromium, runbook: Runbook, answer: str, section: str) -> None:
    """An answer that is right; then on to the section behind it."""
    runbook.choose(answer)
    page.until(f"{FRONT}.querySelector('[aria-live=polite] [role=note][aria-label=right]')")
    assert page.value(f"{runbook.button(answer)}.closest('[role=group]').getAttribute('aria-labelledby')")
    page.until(f"{runbook.button(answer)}.getAttribute('aria-pressed') === 'true'")
    runbook.stand(runbook.sections().index(section))


def watch(page: Chromium, runbook: Runbook, section: str) -> int:
    """Begin the section's one cell; its number."""
    runbook.up_to(section)
    runbook.press()
    return runbook.press()


def turn_to(console: Chromium, view: str, seen: str) -> None:
    """Another section of the sandbox's page, by its link."""
    console.click(
        f"[...document.querySelectorAll('nav a')].find(one => one.textContent.startsWith('{view}'))"
    )
    console.until(f"document.querySelector('h1')?.textContent === '{view}'")
    console.until_seen(seen, MINUTES)
    console.keep(PICTURES / f"console-{view.lower().replace(' ', '-')}.png")


def see(page: Chromium, name: str, what: str = "") -> None:
    """A picture, scrolled to the top of what a script gives."""
    if what:
        page.value(f"{what}.scrollIntoView()")
    page.keep(PICTURES / f"{name}.png")


def happened(page: Chromium, runbook: Runbook, number: str) -> str:
    shown = runbook.run("What just happened")
    assert runbook.nameless() == []
    assert runbook.pictures("What just happened") == 1
    assert not page.value(CLIPPED)
    see(page, f"{number}-happened")
    return shown


def test_the_terminal_ends_with_the_address_and_says_little_else(lab: Lab, page: Chromium) -> None:
    *before, last = lab.said().splitlines()
    assert re.fullmatch(r" +http://127\.0\.0\.1:\S+token=\w+", last)
    assert len(before) <= 5


def test_00_welcomes(page: Chromium, runbook: Runbook) -> None:
    runbook.wait_open("00")
    assert "Would you like" not in page.text()
    assert runbook.pictures("How to read a runbook") == 1
    see(page, "00-opened")
    runbook.clear()
    shown = runbook.run("Parameters")
    assert BANNER in shown
    assert "It only looks." in shown
    assert "runbook 01, which makes it" in runbook.run("Check")
    assert "Still to come" in runbook.run("How to read a runbook")
    assert runbook.pictures("How to read a runbook") == 1
    see(page, "00-happened")


def test_01_makes_the_base_stack(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "01 · Base stack")
    form = runbook.through("views.form")
    runbook.fill("termination_wait_minutes", "soon")
    page.until(f"{runbook.cell(form)}.querySelector('[role=alert]:not(:empty)')")
    see(page, "01-form-refuses")
    described = {name: words for role, name, words in runbook.told(form) if role in FIELDS}
    for name in names_for("01"):
        assert (Parameters.model_fields[name].description or "") in described[name], name
    assert "'soon' is not taken, 5 stays" in described["termination_wait_minutes"]
    runbook.type_in(form, "termination_wait_minutes", "2")
    see(page, "01-form")
    runbook.stand(form + 1)
    assert BANNER in runbook.run("Parameters")
    assert "create, because it does not exist yet" in runbook.run("Plan")
    see(page, "01-plan")
    predict(page, runbook, "A plain page", "Apply")
    cell = watch(page, runbook, "Apply")
    page.until(f"{runbook.cell(cell)}.innerText.includes('IN_PROGRESS')")
    assert page.value(IN_SIGHT % runbook.cell(cell))
    see(page, "01-live")
    assert re.search(MADE, runbook.wait_run(cell))
    page.until("/of \\d+ resources/.test(document.querySelector('#gbg-spoken').textContent)")
    pictures = [name for role, name, _ in runbook.told(cell) if role == "image"]
    assert len(pictures) == 1 and re.search(MADE, pictures[0])
    assert ("region", "In words", "") in runbook.told(cell)
    see(page, "01-made", runbook.cell(cell))
    shown = runbook.run("Check")
    assert RIGHT in shown
    assert "2 instances serve" in shown
    assert "SiteUrl" in runbook.run("What is there now")
    assert page.value(f"{FRONT}.querySelector('iframe')?.getAttribute('sandbox')") == ""
    assert "aws cloudformation create-change-set" in happened(page, runbook, "01")


def test_02_seeds_the_repository_with_the_mouse_alone(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "02 · Seed the repository")
    shown = ""
    while runbook.section() != "What just happened":
        shown += runbook.wait_run(runbook.press_run_button())
    assert BANNER in shown
    assert "because the repository is empty" in shown
    assert "Add the sample application" in shown
    assert RIGHT in shown
    assert "git push" in happened(page, runbook, "02")


def deploys(account: Aws, *, may: bool) -> None:
    """Whether a release may enter its last stage."""
    stage = {"pipelineName": "gbg-release", "stageName": DEPLOY, "transitionType": "Inbound"}
    if may:
        account.call("codepipeline", "enable_stage_transition", **stage)
    else:
        account.call(
            "codepipeline", "disable_stage_transition", **stage, reason="It is to be seen on its way"
        )


def test_03_makes_the_pipeline_with_the_keyboard_alone(
    page: Chromium, runbook: Runbook, account: Aws
) -> None:
    """Its first release waits for 04: a person is fast enough to see it, a slow browser may not be."""
    begin(page, runbook, "03 · Pipeline")
    form = runbook.through("views.form")
    runbook.tab_to(runbook.field("explain"), back=True)
    told = f"{runbook.cell(form)}.innerText.includes('-p explain=true')"
    for ticked in (told, f"!{told}"):
        page.press(" ")
        page.until(ticked)
    runbook.stand(form + 1)
    assert BANNER in runbook.run("Parameters")
    assert "create, because it does not exist yet" in runbook.run("Plan")
    runbook.tab_to(runbook.button("Wait for the next push"), back=True)
    page.press(" ")
    page.until_seen("Not quite: Wait for the next push")
    see(page, "03-predicted-wrong")
    predict(page, runbook, "Release the commit of runbook 02", "Apply")
    assert re.search(MADE, runbook.run("Apply"))
    deploys(account, may=False)
    shown = runbook.run("Check")
    assert RIGHT in shown
    assert "Source → BuildGoldenAMI → Build → Deploy" in shown
    happened(page, runbook, "03")


def test_04_follows_a_release(page: Chromium, runbook: Runbook, console: Chromium, account: Aws) -> None:
    begin(page, runbook, "04 · Release")
    assert BANNER in runbook.run("Parameters")
    assert "source AMI is there and not revoked" in runbook.run("Plan")
    predict(page, runbook, "The old version, as if nothing happened", "Follow")
    cell = watch(page, runbook, "Follow")
    page.until(f"{runbook.cell(cell)}.innerText.includes('stages and gates done')")
    assert page.value(IN_SIGHT % runbook.cell(cell))
    see(page, "04-live")
    shown = runbook.interrupt(cell)
    assert "Watching was interrupted here; what was begun goes on." in shown
    assert "To follow it on: run this cell again." in shown
    assert "Traceback" not in shown
    see(page, "04-interrupted", runbook.cell(cell))
    deploys(account, may=True)
    runbook.run_again(cell)
    turn_to(console, "Overview", "Add the sample application")
    turn_to(console, "Bakes", "gbg-bake")
    page.until(f"{runbook.cell(cell)}.innerText.includes('✓ ApplicationStart')", MINUTES)
    for deficiency in ("none", "deuteranopia", "protanopia", "tritanopia", "achromatopsia"):
        page.send("Emulation.setEmulatedVisionDeficiency", type=deficiency)
        see(page, f"04-live-deploy-{deficiency}", runbook.cell(cell))
    page.send("Emulation.setEmulatedVisionDeficiency", type="none")
    turn_to(console, "Deployments", "AllowTraffic")
    assert re.search(RELEASED, runbook.wait_run(cell))
    see(page, "04-followed", runbook.cell(cell))
    shown = runbook.run("Check")
    assert RIGHT in shown
    assert "the fleet runs ami-" in shown
    assert "ApplicationStop" in runbook.run("What happened")
    assert page.value(PICTURES_NAMED) == "Release of gbg on a time axis"
    assert runbook.pictures("What happened") == 1
    see(page, "04-site")
    assert "written" in runbook.run("Keep the record")
    assert "Golden AMI, Green fleet" in happened(page, runbook, "04")


def test_the_sandboxs_page_shows_what_the_release_did(console: Chromium) -> None:
    for view, seen in (
        ("Pipeline", "Add the sample application"),
        ("Stacks", "gbg-pipeline"),
        ("Deployments", "AfterAllowTraffic"),
        ("Load balancer", "healthy"),
        ("Events", "CodePipeline"),
        ("Logs", "/gbg/bake"),
        ("Machines", "CodeDeploy_gbg-fleet"),
    ):
        turn_to(console, view, seen)
        assert not console.value(SCROLLS), f"a table in {view} is wider than the page"
        assert console.nameless("document.querySelector('main')") == []
    console.click("document.querySelector('main tbody a')")
    console.until_seen("Commands that ran in its shell")
    console.click("document.querySelector('main .links a')")
    console.until("document.querySelector('#text')?.textContent.includes('cloud-init')")
    console.keep(PICTURES / "console-machine.png")
    assert console.errors == []


def test_05_finds_nothing_to_go_back_from(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "05 · Rollback")
    assert BANNER in runbook.run("Parameters")
    assert "there is no good release before the one that serves" in runbook.run("Plan")
    see(page, "05-ways")
    predict(page, runbook, "It goes back, too", "Apply")
    assert "skipped" in runbook.run("Apply")
    assert RIGHT in runbook.run("Check")
    assert "it was there already" in happened(page, runbook, "05")


def test_06_reads_the_record_that_04_wrote(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "06 · Replay")
    fill_in(page, runbook, "record", "newest")
    assert "Replay · record of sandbox" in runbook.run("Parameters")
    assert "Succeeded: Add the sample application" in runbook.run("Plan")
    assert "every file is as it was written" in runbook.run("Check")
    assert "BuildGoldenAMI succeeded after" in runbook.run("The story")
    assert runbook.pictures("The story") == 1
    see(page, "06-story")
    assert ".html" in runbook.run("For the post-mortem")
    assert "no cloud was asked" in happened(page, runbook, "06")


def test_a_release_of_ones_own(page: Chromium, runbook: Runbook) -> None:
    """A headline, typed into the form of 02; its push is the release that 04 follows."""
    begin(page, runbook, "02_seed_repository.ipynb")
    fill_in(page, runbook, "headline", "Mine")
    assert "the page is to say 'Mine'" in runbook.run("Plan")
    assert "New headline: Mine" in runbook.run("Apply")
    assert RIGHT in runbook.run("Check")
    begin(page, runbook, "04_release.ipynb")
    assert re.search(RELEASED, runbook.run("Follow"))
    assert RIGHT in runbook.run("Check")
    assert "answers 200: Mine" in runbook.run("What happened")
    see(page, "04-own-site")


def test_07_repairs_the_stack(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "07_repair.ipynb")
    assert BANNER in runbook.run("Parameters")
    assert "gbg-blue, which is gone" in runbook.run("Plan")
    see(page, "07-plan")
    predict(page, runbook, "None", "Apply")
    assert "UPDATE_COMPLETE" in runbook.run("Apply")
    shown = runbook.run("Check")
    assert RIGHT in shown
    assert "stack and fleet agree" in shown
    assert "nothing was removed: sweep is not set" in runbook.run("Left behind")
    happened(page, runbook, "07")


def test_08_is_a_drill(page: Chromium, runbook: Runbook, console: Chromium) -> None:
    begin(page, runbook, "08 · Drills")
    fill_in(page, runbook, "predictions", "stage=Build, serves=blue, cause=application")
    assert BANNER in runbook.run("Parameters")
    assert "3 of 3 predictions made" in runbook.run("Plan")
    assert "Build Failed" in runbook.run("Apply")
    turn_to(console, "Overview", "The build, phase by phase")
    console.until("document.querySelector('#spoken').textContent === 'Release failed, at Build'")
    see(page, "08-failed")
    shown = runbook.run("Check")
    assert "COMPILATION ERROR" in shown
    assert "not yet" not in shown
    see(page, "08-answers")
    assert re.search(RELEASED, runbook.run("Restore"))
    assert RIGHT in runbook.run("Check")
    see(page, "08-mended")
    happened(page, runbook, "08")


def test_09_takes_all_away_when_the_name_is_typed(page: Chromium, runbook: Runbook) -> None:
    begin(page, runbook, "09 · Teardown")
    fill_in(page, runbook, "confirm", "gbg")
    assert BANNER in runbook.run("Parameters")
    assert "a month as they stand" in runbook.run("Plan")
    see(page, "09-plan")
    assert "stack gbg-base" in runbook.run("Apply")
    see(page, "09-removed")
    assert RIGHT in runbook.run("Check")
    see(page, "09-check")
    assert "aws cloudformation delete-stack" in happened(page, runbook, "09")


def test_what_was_done_is_kept_as_progress(lab: Lab) -> None:
    told = lab.gbg("progress")
    for number in range(10):
        assert f"0{number}: " in told


def test_a_view_goes_on_when_the_page_is_loaded_again(lab: Lab, page: Chromium, runbook: Runbook) -> None:
    """A cell that counts until it is told that it is enough."""
    notebook = nbformat.read(lab.project / "runbooks" / "00_welcome.ipynb", as_version=4)
    enough = lab.project / "enough"
    notebook.cells = [new_markdown_cell("# 10 · Counting"), new_code_cell(COUNTING.format(enough=enough))]
    nbformat.write(notebook, lab.project / "runbooks" / "10_counting.ipynb")
    runbook.open_file("10_counting.ipynb")
    runbook.wait_open("10")
    runbook.stand(1)
    page.press("Enter", SHIFT)
    counted = f"Number({runbook.cell(1)}.innerText.match(/counted to (\\d+)/)?.[1] ?? 0)"
    page.until(f"{counted} > 3")
    before = page.value(counted)
    runbook.load_again(1)
    page.until(f"{counted} > {before} + 3")
    assert page.value(f"{runbook.cell(1)}.querySelectorAll('img').length") == 1
    enough.touch()
    assert "over: counted to" in runbook.wait_run(1)
    assert page.value(f"{runbook.cell(1)}.querySelector('.jp-InputPrompt').textContent") == "[1]:"
    page.errors = [one for one in page.errors if not LOADED_AGAIN.fullmatch(one)]


def test_what_a_cell_asks_is_heard_and_answered_with_the_keyboard(
    lab: Lab, page: Chromium, runbook: Runbook
) -> None:
    notebook = nbformat.read(lab.project / "runbooks" / "00_welcome.ipynb", as_version=4)
    asks = new_code_cell("print('said', input('A gate. Type go or stop: '))")
    notebook.cells = [new_markdown_cell("# 11 · Asking"), asks]
    nbformat.write(notebook, lab.project / "runbooks" / "11_asking.ipynb")
    runbook.open_file("11_asking.ipynb")
    runbook.wait_open("11")
    runbook.stand(1)
    page.press("Enter", SHIFT)
    page.until("document.activeElement.matches('.jp-Stdin-input')")
    [field] = [name for role, name, _ in runbook.told(1) if role in FIELDS]
    assert field.startswith("A gate. Type go or stop:")
    page.type("go")
    page.press("Enter")
    assert "said go" in runbook.wait_run(1)
