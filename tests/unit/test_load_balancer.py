"""What a load balancer makes of checks and rules, without a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.elbv2.health import Result, accepts, judge
from gbg_sandbox.services.elbv2.proxy import find_haproxy
from gbg_sandbox.services.elbv2.proxy_config import Backend, Plan, Route, Server, configuration
from gbg_sandbox.services.elbv2.state import Target, TargetGroup

PASSED = Result()
FAILED = Result("Target.Timeout", "Request timed out")
FOLDER = Path("/x")


def target(state: str) -> Target:
    made = Target("i-1", 8080, "10.0.1.4", "us-east-1a")
    made.begin()
    if state != "initial":
        made.move(state)
    return made


@pytest.mark.parametrize(
    ("before", "results", "states"),
    [
        ("initial", [PASSED], ["healthy"]),
        ("initial", [FAILED, FAILED, FAILED], ["initial", "unhealthy", "unhealthy"]),
        ("initial", [FAILED, PASSED], ["initial", "healthy"]),
        ("healthy", [FAILED, PASSED, FAILED, FAILED], ["healthy", "healthy", "healthy", "unhealthy"]),
        ("unhealthy", [PASSED, PASSED, PASSED], ["unhealthy", "unhealthy", "healthy"]),
        ("unhealthy", [PASSED, PASSED, FAILED, PASSED], ["unhealthy"] * 4),
    ],
)
def test_checks_move_a_target(before: str, results: list[Result], states: list[str]) -> None:
    checked = target(before)
    seen: list[str] = []
    for result in results:
        judge(checked, result, healthy_threshold=3, unhealthy_threshold=2)
        seen.append(checked.state)
    assert seen == states


def test_a_target_that_was_unhealthy_for_a_moment_is_among_the_samples() -> None:
    group = TargetGroup("arn:1", "web", 8080, "vpc-1", "traffic-port", "/", 10, 5, 2, 3, "200", {}, {})
    one, other = target("healthy"), target("healthy")
    group.targets = {("i-1", 8080): one, ("i-2", 8080): other}
    for state in ("unhealthy", "healthy"):
        one.move(state)
        group.sample()
    assert group.samples() == [(1, 1), (2, 0), (2, 0)]
    assert group.samples() == [(2, 0)]


def test_a_matcher_takes_codes_and_ranges() -> None:
    assert accepts("200,300-302", 301)
    assert not accepts("200,300-302", 303)


def text_of(actions: list[dict[str, Any]], conditions: list[list[dict[str, Any]]]) -> str:
    servers = (Server("i-1:8080", "10.0.1.4", 8080, "ready"), Server("i-2:8080", "10.0.1.5", 8080, "maint"))
    routes = [Route(one, action) for one, action in zip(conditions, actions, strict=True)]
    plan = Plan(60, False, tuple(routes), (Backend("b1", "arn:1", "round_robin", servers),))
    return configuration(plan, FOLDER)[FOLDER / "haproxy.cfg"]


def forward(weight: int = 1) -> dict[str, Any]:
    groups = [{"TargetGroupArn": "arn:1", "Weight": weight}]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def test_targets_that_get_no_requests_begin_disabled() -> None:
    text = text_of([forward()], [[]])
    assert "server i-1:8080 10.0.1.4:8080\n" in text
    assert "server i-2:8080 10.0.1.5:8080 disabled\n" in text


def test_a_pattern_matches_itself_and_nothing_is_left_to_the_shell() -> None:
    text = text_of([forward(), forward()], [[{"Field": "path-pattern", "Values": ["/a.b'c*"]}], []])
    assert r"path -m reg '^/a\.b'\''c.*$'" in text


def test_a_weight_of_nothing_gives_503() -> None:
    text = text_of([forward(0)], [[]])
    assert "use_backend" not in text
    assert "http-request return status 503" in text


def test_without_haproxy_it_is_said_what_to_install() -> None:
    with pytest.raises(AwsError, match="apt-get install haproxy"):
        find_haproxy("/nowhere")
