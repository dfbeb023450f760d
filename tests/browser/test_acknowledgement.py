"""On AWS a person sees what a plan costs, and nothing is done before they say that they want it.

`cloud=aws` goes where the SDK's own settings say. Here a profile names the sandbox as its endpoint, which
answers as AWS does; to the runbook it is an AWS account like any other.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_lib.aws import Aws
from gbg_lib.stacks import Stacks
from gbg_sandbox.home import Home
from tests.browser.chromium import Chromium
from tests.browser.conftest import seated
from tests.browser.lab import FRONT, Lab, Runbook

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "build" / "acknowledgement"
BANNER = (
    "Walkthrough · AWS, account 123456789012, us-east-1 · deployment gbg\n"
    "It makes a VPC, a load balancer, machines, roles and the parts for baking and releasing, "
    "in this AWS account."
)
ON_AWS = f"{FRONT}.querySelector('[role=note][aria-label=\"on AWS\"]')"
ORANGE = "rgb(230, 159, 0)"
COSTS = r"On AWS about (\d+\.\d\d) USD an hour, (\d+\.\d\d) a month as it stands"
MORE = (
    r"On AWS about (\d+\.\d\d) USD an hour, (\d+\.\d\d) a month for what is changed; "
    r"so far (\d+\.\d\d) USD an hour, (\d+\.\d\d) a month"
)
ASKS = "As long as it is not acknowledged, nothing is changed on AWS."
BOX = "I have read the plan, and want it done on AWS"
ASKING = "one => one.querySelector('.jp-InputArea')?.innerText.includes('views.acknowledge')"
REFUSED = "the plan is not acknowledged; next would be: aws cloudformation execute-change-set"
PLANNED = {"CreateChangeSet"}
"""what CloudTrail tells besides reads, of who only made a plan"""

pytestmark = pytest.mark.xdist_group("acknowledgement")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="gbg-on-aws-"))
    made = Lab(folder)
    made.environment |= Home(Path(made.environment["GBG_HOME"])).environment()
    try:
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def page(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with seated(lab, tmp_path_factory.mktemp("chromium"), PICTURES) as opened:
        yield opened


@pytest.fixture(scope="module")
def runbook(page: Chromium, lab: Lab) -> Iterator[Runbook]:
    """The one that is in front in all tests; the browser's console has nothing to complain of."""
    yield Runbook(page, lab.project / "runbooks")
    assert page.errors == []


def changes(account: Aws) -> set[str]:
    """Every operation that was no read."""
    told = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
    found = account.pages("cloudtrail", "lookup_events", "Events", LookupAttributes=told)
    return {str(one["EventName"]) for one in found}


def box(page: Chromium, runbook: Runbook) -> str:
    """The one that is shown now, which a screen reader calls by its words."""
    asking = page.value(f"[...{FRONT}.querySelectorAll('.jp-Cell')].findIndex({ASKING})")
    assert ("checkbox", BOX) in [(role, name) for role, name, _ in runbook.told(asking)]
    return f"{runbook.cell(asking)}.querySelector('input[type=checkbox]')"


def told(page: Chromium, words: str) -> None:
    """Below the box, and to a screen reader."""
    page.until(f"{FRONT}.querySelector('[role=status]')?.textContent === {json.dumps(words)}")


def test_nothing_is_done_before_it_is_acknowledged(page: Chromium, runbook: Runbook, account: Aws) -> None:
    runbook.wait_open("00")
    runbook.open_file("01_base_stack.ipynb")
    runbook.wait_open("01")
    runbook.clear()
    form = runbook.through("views.form")
    runbook.tab_to(runbook.field("cloud"), back=True)
    page.type("a")
    runbook.wait_told(form, "cloud", "aws")
    runbook.stand(form + 1)
    assert BANNER in runbook.run("Parameters")
    assert page.value(f"getComputedStyle({ON_AWS}).backgroundColor") == ORANGE
    page.keep(PICTURES / "banner.png")

    shown = runbook.run("Plan")
    assert "gbg-base: create, because it does not exist yet" in shown
    costs = re.search(COSTS, shown)
    assert costs and float(costs.group(1)) > 0 and float(costs.group(2)) > 0
    assert "the one address that visitors know" in shown
    assert "with the stack: runbook 09" in shown
    assert ASKS in shown
    runbook.tab_to(box(page, runbook), back=True)
    for words in ("Acknowledged: the cells below may change AWS.", "Nothing is changed."):
        page.press(" ")
        told(page, words)
    page.keep(PICTURES / "asked.png")

    runbook.stand(runbook.sections().index("Apply"))
    runbook.wait_run(runbook.press())
    refused = runbook.wait_failed(runbook.press())
    assert REFUSED in refused and "tick its box" in refused
    page.keep(PICTURES / "refused.png")
    assert changes(account) == PLANNED
    stacks = Stacks(account)
    assert (stacks.status("gbg-base"), stacks.resources("gbg-base")) == ("REVIEW_IN_PROGRESS", [])


def test_what_is_acknowledged_with_the_mouse_is_done(page: Chromium, runbook: Runbook, account: Aws) -> None:
    page.click(box(page, runbook))
    told(page, "Acknowledged: the cells below may change AWS.")
    page.keep(PICTURES / "acknowledged.png")
    apply = runbook.sections().index("Apply") + 1
    runbook.run_again(apply)
    assert "gbg-base CREATE_COMPLETE" in runbook.wait_run(apply)
    shown = runbook.run("Check")
    assert "✓ Right" in shown and "2 instances serve" in shown
    assert "aws cloudformation execute-change-set" in runbook.run("What just happened")
    assert runbook.nameless() == []
    assert Stacks(account).parameters("gbg-base")["FleetSize"] == "2"


def test_the_next_plan_is_asked_for_again_and_acknowledged_with_the_keyboard(
    page: Chromium, runbook: Runbook, account: Aws
) -> None:
    """A machine more; what was acknowledged before is another plan."""
    form = runbook.sections().index("Parameters") + 2
    runbook.type_in(form, "instance_count", "3")
    runbook.stand(form + 1)
    shown = runbook.run("Parameters") + runbook.run("Plan")
    costs = re.search(MORE, shown)
    assert costs and float(costs.group(2)) == pytest.approx(float(costs.group(4)) * 3 / 2, abs=0.02)
    assert ASKS in shown
    assert Stacks(account).parameters("gbg-base")["FleetSize"] == "2"
    runbook.tab_to(box(page, runbook), back=True)
    page.press(" ")
    told(page, "Acknowledged: the cells below may change AWS.")
    page.keep(PICTURES / "one-more.png")
    runbook.stand(runbook.sections().index("Apply"))
    assert "gbg-base UPDATE_COMPLETE" in runbook.run("Apply")
    assert Stacks(account).parameters("gbg-base")["FleetSize"] == "3"
