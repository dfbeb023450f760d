"""Listeners' actions and rules, changed while requests come in."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.places import eventually
from tests.sandbox.test_elbv2 import Balanced, balanced, cloud, code

__all__ = ["balanced", "cloud"]


def listener(balanced: Balanced) -> str:
    found = balanced.elbv2.describe_listeners(LoadBalancerArn=balanced.arn)["Listeners"]
    return str(found[0]["ListenerArn"])


def second_group(balanced: Balanced) -> str:
    made = balanced.elbv2.create_target_group(
        Name="other", Protocol="HTTP", Port=8080, VpcId=balanced.place.vpc_id, HealthCheckIntervalSeconds=10
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def forward(group: str) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": group}


def test_rules_decide_by_path_and_host_in_their_order(balanced: Balanced) -> None:
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "it's\n'fixed'"}
    for priority, condition in [
        (20, {"Field": "path-pattern", "Values": ["/status/*"]}),
        (10, {"Field": "host-header", "Values": ["*.example.com"]}),
    ]:
        text = answer | {"MessageBody": f"{answer['MessageBody']} {priority}"}
        balanced.elbv2.create_rule(
            ListenerArn=listener(balanced),
            Priority=priority,
            Conditions=[condition],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": text}],
        )
    assert balanced.get("/status/x") == (200, "it's\n'fixed' 20")
    assert balanced.get("/status/x", Host="www.example.com") == (200, "it's\n'fixed' 10")
    assert balanced.get("/else")[0] == 503
    priorities = [
        one["Priority"] for one in balanced.elbv2.describe_rules(ListenerArn=listener(balanced))["Rules"]
    ]
    assert priorities == ["10", "20", "default"]


def test_a_redirect_keeps_path_and_query(balanced: Balanced) -> None:
    target = {"Host": "new.example.com", "Port": "8443", "StatusCode": "HTTP_302"}
    balanced.elbv2.modify_listener(
        ListenerArn=listener(balanced), DefaultActions=[{"Type": "redirect", "RedirectConfig": target}]
    )
    connection = http.client.HTTPConnection("localhost", int(balanced.url.rpartition(":")[2]))
    connection.request("GET", "/a/b?c=d")
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.headers["Location"]) == (302, "http://new.example.com:8443/a/b?c=d")


def test_weights_share_requests_between_groups(balanced: Balanced) -> None:
    other = second_group(balanced)
    one, two = balanced.launch("one"), balanced.launch("two")
    balanced.register(one)
    balanced.elbv2.register_targets(TargetGroupArn=other, Targets=[{"Id": two}])
    told = balanced.elbv2.describe_target_health(TargetGroupArn=other)["TargetHealthDescriptions"]
    assert told[0]["TargetHealth"]["Reason"] == "Target.NotInUse"
    weights = [{"TargetGroupArn": balanced.group_arn, "Weight": 1}, {"TargetGroupArn": other, "Weight": 3}]
    balanced.elbv2.modify_listener(
        ListenerArn=listener(balanced),
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}],
    )
    balanced.become(one, "healthy")
    eventually(
        lambda: (
            balanced.elbv2.describe_target_health(TargetGroupArn=other)["TargetHealthDescriptions"][0][
                "TargetHealth"
            ]["State"]
            == "healthy"
        )
    )
    shares = Counter(balanced.get()[1] for _ in range(200))
    assert shares["two"] > shares["one"] > 0


def test_another_target_group_takes_over_without_a_lost_request(balanced: Balanced) -> None:
    other = second_group(balanced)
    one, two = balanced.launch("one"), balanced.launch("two")
    balanced.register(one)
    balanced.become(one, "healthy")
    balanced.elbv2.register_targets(TargetGroupArn=other, Targets=[{"Id": two}])
    answers: Counter[int] = Counter()
    done = threading.Event()

    def load() -> None:
        port = int(balanced.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("localhost", port, timeout=10)
        while not done.is_set():
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1

    clients = [threading.Thread(target=load) for _ in range(6)]
    for client in clients:
        client.start()
    balanced.elbv2.modify_listener(ListenerArn=listener(balanced), DefaultActions=[forward(other)])
    eventually(lambda: balanced.sites["two"].served > 50)
    done.set()
    for client in clients:
        client.join()
    assert set(answers) == {200}
    service = balanced.cloud.service("elbv2")
    eventually(lambda: len(service.engine.proxies(balanced.arn)) == 1)
    assert balanced.health(one)["State"] == "unused"


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ({"Type": "authenticate-cognito"}, "InvalidLoadBalancerAction"),
        ({"Type": "forward", "TargetGroupArn": "arn:none"}, "TargetGroupNotFound"),
        ({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "999"}}, "ValidationError"),
        ({"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}, "InvalidLoadBalancerAction"),
    ],
)
def test_a_wrong_action_is_refused_and_changes_nothing(
    balanced: Balanced, action: dict[str, Any], refused: str
) -> None:
    with pytest.raises(ClientError) as error:
        balanced.elbv2.modify_listener(ListenerArn=listener(balanced), DefaultActions=[action])
    assert code(error) == refused
    present = balanced.elbv2.describe_listeners(LoadBalancerArn=balanced.arn)["Listeners"][0][
        "DefaultActions"
    ]
    assert present[0]["TargetGroupArn"] == balanced.group_arn


@pytest.mark.parametrize(
    "change",
    [
        {"Key": "stickiness.enabled", "Value": "true"},
        {"Key": "slow_start.duration_seconds", "Value": "30"},
        {"Key": "deregistration_delay.timeout_seconds", "Value": "3601"},
        {"Key": "deregistration_delay", "Value": "1"},
    ],
)
def test_attributes_that_are_not_run_are_refused(balanced: Balanced, change: dict[str, str]) -> None:
    with pytest.raises(ClientError) as error:
        balanced.elbv2.modify_target_group_attributes(TargetGroupArn=balanced.group_arn, Attributes=[change])
    assert code(error) == "ValidationError"
