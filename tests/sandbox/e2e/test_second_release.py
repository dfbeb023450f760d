"""A second release while visitors come: pushed with plain git, on a newer OS release, and nobody notices."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gbg_lib.deployments import targets
from gbg_lib.images import GoldenImage, difference, golden_images, package_list, read_lineage
from gbg_lib.release import Release
from tests.sandbox.e2e.load import Load
from tests.sandbox.e2e.world import Deployment, World, exhaust

NEWER = "2023.12.20260710"
FEWEST = 500
DAY = timedelta(days=1)
COUNTED = ("RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")


@dataclass
class Second:
    old: Release
    new: Release
    load: Load
    counted: Counter[str]
    """CloudWatch's metrics of what happened under load"""


@pytest.fixture(scope="module")
def second(world: World, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Second:
    old = deployment.serving
    deployment.change(os_release=NEWER)
    exhaust(deployment.base.apply(deployment.base.plan()))
    before = counted(deployment)
    with Load(deployment.run.base["SiteUrl"]) as load:
        commit = push_with_git(world, deployment, tmp_path_factory.mktemp("work"))
        deployment.follow(deployment.release_of(commit))
    sent = len(load.answers)
    deployment.until(lambda: fewest(counted(deployment), before) >= sent, "the last counts")
    seen = counted(deployment)
    seen.subtract(before)
    return Second(old, deployment.succeed(deployment.release_of(commit)), load, seen)


def fewest(now: Counter[str], before: Counter[str]) -> int:
    """How many requests, or answers to them: an answer is counted when its last byte is sent."""
    return min(
        sum(now[name] - before[name] for name in names)
        for names in (["RequestCount"], [name for name in COUNTED if name.startswith("HTTPCode")])
    )


def push_with_git(world: World, deployment: Deployment, work: Path) -> str:
    """A new colour; the commit's id."""
    page = "src/main/resources/appearance.properties"
    return world.shell(
        f"git clone -q {deployment.run.base['RepositoryCloneUrlHttp']} app && cd app\n"
        f"sed -i 's/^colour=.*/colour=#7a3e9d/' {page}\n"
        "git -c user.name=Mary -c user.email=mary@example.com commit -q -a -m 'A new colour'\n"
        "git push -q && git rev-parse HEAD",
        cwd=work,
    ).strip()


def counted(deployment: Deployment) -> Counter[str]:
    """What the load balancer counted since it is there."""
    aws = deployment.aws
    arn = deployment.run.base["LoadBalancerArn"]
    balancer = aws.call("elbv2", "describe_load_balancers", LoadBalancerArns=[arn])["LoadBalancers"][0]
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": name,
                    "Dimensions": [{"Name": "LoadBalancer", "Value": arn.partition("loadbalancer/")[2]}],
                },
                "Period": 86400,
                "Stat": "Sum",
            },
        }
        for number, name in enumerate(COUNTED)
    ]
    found = aws.call(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=queries,
        StartTime=balancer["CreatedTime"] - DAY,
        EndTime=balancer["CreatedTime"] + DAY,
    )["MetricDataResults"]
    return Counter({name: int(sum(one["Values"])) for name, one in zip(COUNTED, found, strict=True)})


def test_a_push_starts_the_pipeline_through_eventbridge(deployment: Deployment, second: Second) -> None:
    found = deployment.aws.call(
        "codepipeline", "list_pipeline_executions", pipelineName=deployment.run.pipeline.name
    )["pipelineExecutionSummaries"]
    [trigger] = [one["trigger"] for one in found if one["pipelineExecutionId"] == second.new.execution_id]
    assert trigger["triggerType"] == "CloudWatchEvent"
    assert trigger["triggerDetail"].endswith(f":rule/{deployment.name}-push")


def test_no_request_is_lost(second: Second) -> None:
    assert second.load.lost == []
    assert len(second.load.answers) >= FEWEST


def test_every_answer_is_a_whole_page_of_the_old_or_the_new_release(second: Second) -> None:
    shown = Counter((one.deployment, one.commit, one.image) for one in second.load.answers)
    old, new = (
        (release.deployment_id, release.commit, release.image) for release in (second.old, second.new)
    )
    assert set(shown) == {old, new}
    assert shown[old] + shown[new] == len(second.load.answers)


def test_the_site_turns_over_once(second: Second) -> None:
    """First only the old release answers, at the end only the new one."""
    shown = [one.deployment for one in second.load.answers]
    assert set(shown[: FEWEST // 3]) == {second.old.deployment_id}
    assert set(shown[-FEWEST // 10 :]) == {second.new.deployment_id}


def test_the_load_balancer_counted_what_was_sent(second: Second) -> None:
    """Blue's and green's answers together: machines that are gone still count."""
    sent = len(second.load.answers)
    assert second.counted == Counter({"RequestCount": sent, "HTTPCode_Target_2XX_Count": sent})


def test_visitors_who_keep_their_connection_never_need_a_second(second: Second) -> None:
    assert second.load.kept_connections == [1, 1, 1, 1]


def test_blue_with_a_revision_runs_its_traffic_events(deployment: Deployment, second: Second) -> None:
    blue = [one for one in targets(deployment.aws, second.new.deployment_id) if one.side == "Blue"]
    assert len(blue) == 2
    for machine in blue:
        assert {event.status for event in machine.events} == {"Succeeded"}


def test_two_golden_amis_differ_in_the_packages_of_their_os_release(
    deployment: Deployment, second: Second
) -> None:
    old, new = (image_of(deployment, release) for release in (second.old, second.new))
    assert old.tags["gbg:os-release"] < new.tags["gbg:os-release"] == NEWER
    assert old.tags["gbg:source-ami"] == new.tags["gbg:source-ami"]
    assert old.tags["gbg:packages"] != new.tags["gbg:packages"]
    lineage = read_lineage(deployment.aws, deployment.name)
    before, after = (package_list(deployment.aws, lineage, image.id) for image in (old, new))
    changes = difference(before, after)
    assert {change.name for change in changes} >= {"system-release", "kernel", "openssl"}
    assert {change.kind for change in changes} == {"changed"}


def test_a_golden_ami_is_its_source_with_agents_java_and_tomcat(deployment: Deployment) -> None:
    lineage = read_lineage(deployment.aws, deployment.name)
    image = lineage.image(deployment.serving.image)
    source, golden = (package_list(deployment.aws, lineage, one) for one in (image.parent, image.id))
    kinds = {change.name: change.kind for change in difference(source, golden)}
    added = {name for name, kind in kinds.items() if kind == "added"}
    assert added >= {"java-17-amazon-corretto-headless", "tomcat10", "amazon-cloudwatch-agent"}
    assert "removed" not in kinds.values()


def image_of(deployment: Deployment, release: Release) -> GoldenImage:
    return next(one for one in golden_images(deployment.aws, deployment.name) if one.id == release.image)
