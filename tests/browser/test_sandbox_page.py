"""The sandbox's page in a real Chromium: a first fleet, a hostile name, another origin, a phone, no mouse."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from gbg_lib.aws import Aws, open_aws
from gbg_lib.parameters import Parameters
from gbg_sandbox.home import Home
from tests.browser.chromium import DESKTOP, PHONE, Chromium
from tests.browser.conftest import QUIET

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "build" / "sandbox-page"
HOSTILE = "<img src=x onerror=document.body.remove()>\"'&amp;"
REBOUND = "rebound.example"
"""a name of somebody else's that leads here"""
WIDER = "document.documentElement.scrollWidth > innerWidth"

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser with one tab."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    words = (*QUIET, f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1")
    opened = Chromium(chromium, tmp_path_factory.mktemp("chromium"), words)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def address(site: str) -> str:
    """The page of the sandbox that `site` stands in."""
    running = Home(Path(os.environ["GBG_HOME"])).running()
    assert running is not None
    return running.page_url


@pytest.fixture
def aws(site: str) -> Aws:
    return open_aws(Parameters())


def see(page: Chromium, address: str, view: str, heading: str) -> None:
    page.open("about:blank")
    page.open(f"{address}#/{view}")
    page.until(f"document.querySelector('h1')?.textContent === '{heading}'")
    page.until("document.querySelector('.live.on')")


def give(page: Chromium, section: str, items: list[object]) -> None:
    """In place of what the stream tells of a section, once it has told it."""
    page.value(
        f"""(async () => {{
          const {{ known }} = await import('/_gbg/page/state.js');
          while (!('{section}' in known.problems)) await new Promise(requestAnimationFrame);
          known.{section} = {json.dumps(items)};
        }})()"""
    )


def test_the_overview_shows_a_site_that_serves(page: Chromium, address: str, site: str) -> None:
    page.errors.clear()
    see(page, address, "", "Overview")
    page.until_seen(site)
    page.until_seen("2 of 2 targets healthy")
    page.keep(PICTURES / "overview.png")
    page.value("document.querySelector('[data-do=visitors]').click()")
    page.until_seen("requests a second")
    page.until("document.querySelector('.traffic rect.blue')")
    page.keep(PICTURES / "traffic.png")
    assert page.errors == []


@pytest.mark.parametrize(
    ("view", "heading", "seen"),
    [
        ("", "Overview", "healthy"),
        ("stacks", "Stacks", "resources complete"),
        ("machines", "Machines", "running"),
        ("balancer", "Load balancer", "health check"),
        ("pipeline", "Pipeline", "./gbg run 1 2 3"),
        ("bakes", "Bakes", "./gbg run 4"),
        ("deployments", "Deployments", "./gbg run 4"),
        ("events", "Events", "CloudFormation"),
        ("logs", "Logs", "/gbg/instances"),
    ],
)
def test_every_view_shows_what_is_there_or_what_to_do(
    page: Chromium, address: str, view: str, heading: str, seen: str
) -> None:
    page.errors.clear()
    for size, scheme in ((DESKTOP, "dark"), (PHONE, "light")):
        page.look(size, scheme)
        see(page, address, view, heading)
        page.until_seen(seen)
        assert not page.value(WIDER), f"{view} scrolls sideways at {size}"
        page.keep(PICTURES / f"{view or 'overview'}-{size[0]}-{scheme}.png")
    assert page.nameless("document.body") == []
    assert ("status", "", "") in page.accessible("document.body")
    page.look()
    assert page.errors == []


def test_a_machines_console_is_read_along(page: Chromium, address: str) -> None:
    page.errors.clear()
    see(page, address, "machines", "Machines")
    page.until("document.querySelector('tbody a')")
    page.value("document.querySelector('tbody a').click()")
    page.until("document.querySelector('.links a')")
    page.value("document.querySelector('.links a').click()")
    page.until("document.querySelector('#text')?.textContent.includes('cloud-init')")
    page.keep(PICTURES / "console.png")
    assert page.nameless("document.querySelector('main')") == []
    page.press("Escape")
    page.until("!document.querySelector('#text')")
    assert page.value("document.activeElement.id") == "main"
    assert page.errors == []


STEP = {"action": "aws:runCommand", "status": "Failed", "output": "a line"}
BAKE = {
    **{"id": "b-1", "document": "gbg-bake", "status": "Failed", "parameters": {}, "outputs": {}},
    **{"started": "2026-01-01T10:00:00Z", "ended": "2026-01-01T10:01:00Z", "going_on": False},
    "failure": "failBake: the status is none of the desired values",
    "steps": [
        {**STEP, "name": "updateSystem", "failure": "no mirror answers, OutputPayload=again"},
        {**STEP, "name": "failBake", "failure": "the status is none of the desired values"},
    ],
}
"""as the stream tells it (gbg_sandbox/page/sections/bakes.py), with what matters here"""


def test_a_failed_bake_says_first_what_failed_first(page: Chromium, address: str) -> None:
    page.errors.clear()
    see(page, address, "bakes", "Bakes")
    give(page, "bakes", [BAKE])
    page.until("document.querySelector('.card > .why')?.textContent === 'updateSystem: no mirror answers'")
    page.until("document.querySelector('main [aria-label=\"Output of updateSystem\"]')?.checkVisibility()")
    assert page.nameless("document.querySelector('main')") == []
    assert page.errors == []


TRY = {
    "stage": "Deploy",
    "name": "Deploy",
    "provider": "CodeDeploy",
    "status": "Failed",
    "error": "one machine did not answer",
    "summary": "",
    "external": "d-1",
    "started": "2026-11-29T10:00:00+00:00",
    "updated": "2026-11-29T10:01:00+00:00",
}
TRIED_AGAIN = {
    "name": "gbg-release",
    "stages": [{"name": "Deploy", "providers": ["CodeDeploy"], "open": True}],
    "executions": [
        {
            "id": "4d2315d1",
            "status": "Succeeded",
            "message": "Tidy",
            "commit": "a" * 40,
            "trigger": "PutActionRevision",
            "started": TRY["started"],
            "updated": "2026-11-29T10:05:00+00:00",
            "back_to": "",
            "summary": "",
            "actions": [TRY, {**TRY, "status": "Succeeded", "error": "", "external": "d-2"}],
        }
    ],
}
"""a stage that failed, and succeeded when it was retried (gbg_sandbox/page/sections/pipelines.py)"""


def test_a_stage_that_was_tried_again_is_told_by_its_newest_try(page: Chromium, address: str) -> None:
    page.errors.clear()
    see(page, address, "", "Overview")
    give(page, "pipelines", [TRIED_AGAIN])
    page.until("document.querySelector('.stage.good')")
    assert page.value("document.querySelectorAll('main .why').length") == 0
    see(page, address, "pipeline", "Pipeline")
    give(page, "pipelines", [TRIED_AGAIN])
    page.until_seen("one machine did not answer")
    assert page.errors == []


def test_a_hostile_name_is_text(page: Chromium, address: str, aws: Aws) -> None:
    page.errors.clear()
    found = aws.call("ec2", "describe_instances")["Reservations"][0]["Instances"][0]["InstanceId"]
    aws.call("ec2", "create_tags", Resources=[found], Tags=[{"Key": "Name", "Value": HOSTILE}])
    see(page, address, f"machines/{found}", "Machines")
    page.until_seen(HOSTILE)
    assert page.value("document.querySelectorAll('main img').length") == 0
    assert page.errors == []


def test_an_event_shows_while_one_looks(page: Chromium, address: str, aws: Aws) -> None:
    page.errors.clear()
    see(page, address, "events", "Events")
    entry = {"Source": "my.shop", "DetailType": "Order Placed", "Detail": '{"message": "two teapots"}'}
    aws.call("events", "put_events", Entries=[entry])
    page.until_seen("two teapots")
    assert page.errors == []


def test_a_denied_call_shows_with_what_was_lacking(page: Chromium, address: str, aws: Aws) -> None:
    page.errors.clear()
    trusts = {"Effect": "Allow", "Principal": {"AWS": aws.account()}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusts]})
    role = aws.call("iam", "create_role", RoleName="visitor", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    keys = aws.call("sts", "assume_role", RoleArn=role, RoleSessionName="looks")["Credentials"]
    visitor = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        visitor.client("ec2", region_name=aws.region, endpoint_url=aws.endpoint_url).describe_instances()
    see(page, address, "denials", "IAM denials")
    page.until_seen("ec2:DescribeInstances")
    page.until_seen("visitor/looks")
    page.keep(PICTURES / "denials.png")
    assert page.errors == []


def test_another_origin_can_neither_read_nor_frame_it(page: Chromium, address: str, site: str) -> None:
    page.open(site)
    page.until("document.readyState === 'complete'")
    read = "fetch({url!r}).then(() => 'read', () => 'refused')"
    assert page.value(read.format(url=address + "_gbg/page/logs")) == "refused"
    assert page.value(read.format(url=address)) == "refused"
    page.value(f"document.body.append(Object.assign(document.createElement('iframe'), {{src: {address!r}}}))")
    page.until(
        "(() => { try { return !document.querySelector('iframe').contentDocument } catch { return true } })()"
    )
    page.open(address.replace("localhost", REBOUND) + "_gbg/page/")
    page.until_seen(f"refused: this page is not called '{REBOUND}:")
    for place in ("/", "/_gbg/page/logs"):
        assert page.value(f"fetch('{place}').then(got => got.status)") == 403


def test_it_is_usable_without_a_mouse(page: Chromium, address: str) -> None:
    see(page, address, "stacks", "Stacks")
    page.until("document.querySelector('main table')")
    assert page.value("document.querySelectorAll('h1').length") == 1
    assert page.value("[...document.querySelectorAll('main table')].every(one => one.caption && one.tHead)")
    assert page.value(
        "[...document.querySelectorAll('a, button, input')]"
        ".every(one => one.textContent || one.labels?.length)"
    )
    page.press("Tab")
    assert page.value("document.activeElement.className") == "skip"
    page.press("Enter")
    page.until("document.activeElement.id === 'main'")
    assert page.value("document.querySelector('[aria-current=page]').textContent").startswith("Stacks")
    page.press("Tab")
    page.press("Enter")
    page.until("document.activeElement.matches('main summary') && document.activeElement.parentElement.open")
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_events_are_filtered_and_shown_again_without_a_mouse(page: Chromium, address: str) -> None:
    see(page, address, "events", "Events")
    page.until("document.querySelector('#filter')")
    while not page.value("document.activeElement.id === 'filter'"):
        page.press("Tab")
    page.type("nothing is called so")
    shown = "document.querySelector('main .quiet').textContent"
    page.until(f"{shown} === '0 shown'")
    page.press("Escape")
    page.until(f"document.querySelector('#filter').value === '' && {shown} !== '0 shown'")
