"""Why a deployment did not succeed: a hook, a machine, the load balancer, an alarm, a person, a right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.deployments import LifecycleEvent, Target, targets
from gbg_lib.errors import NotThere
from gbg_lib.machines import gone
from gbg_lib.trail import who_called

BAD_EVENT = frozenset({"Failed", "Unknown"})
TRAFFIC = ("AllowTraffic", "BlockTraffic")
LAST_LINES = 5
ON = "ALARM"

Setback = tuple[str, str]
"""details, as further lines of a message; what to do"""


def deployment_setback(aws: Aws, deployment_id: str) -> Setback:
    try:
        info = aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)["deploymentInfo"]
        machines = targets(aws, deployment_id)
    except NotThere:
        return "", "CodeDeploy does not know the deployment any more; look at what serves"
    code = info.get("errorInformation", {}).get("code", "")
    if code == "ALARM_ACTIVE":
        details, try_this = _alarm(aws, info, machines)
    elif code == "MANUAL_STOP":
        who = who_called(aws, "StopDeployment", deployment_id)
        details, try_this = (
            f"\n  stopped by {who}",
            "ask them; start the release again when their reason is gone",
        )
    elif "PERMISSION" in code:
        details, try_this = "", "give CodeDeploy's role its right back, then start the release again"
    elif code == "AUTO_SCALING_CONFIGURATION":
        details, try_this = (
            "",
            "look at the scaling activities of the green group, then start the release again",
        )
    else:
        details, try_this = _machine(aws, machines)
    return details + _way_back(aws, info), f"{try_this}; blue still serves"


def _machine(aws: Aws, machines: list[Target]) -> Setback:
    for target in machines:
        for event in target.events:
            if event.status in BAD_EVENT:
                return _event(aws, target, event)
    return "", "look at the deployment's lifecycle events"


def _event(aws: Aws, target: Target, event: LifecycleEvent) -> Setback:
    tail = "".join(f"\n    {line}" for line in event.log_tail.strip().splitlines()[-LAST_LINES:])
    said = event.message or event.error_code or "no message"
    what = f"\n  {target.instance} ({target.side}), {event.name}, {event.script or 'no script'}: {said}{tail}"
    if not event.script and (ended := gone(aws, target.instance, event.ended)):
        return f"{what}\n    {ended}", "find out who ended the machine, then start the release again"
    if event.name in TRAFFIC:
        return (
            what,
            "see that the application answers the health check's path with the status it wants, and push",
        )
    return what, "mend the hook or the application and push again"


def _alarm(aws: Aws, info: Mapping[str, Any], machines: list[Target]) -> Setback:
    group = aws.call(
        "codedeploy",
        "get_deployment_group",
        applicationName=info["applicationName"],
        deploymentGroupName=info["deploymentGroupName"],
    )["deploymentGroupInfo"]
    names = [alarm["name"] for alarm in group.get("alarmConfiguration", {}).get("alarms", [])]
    message = info.get("errorInformation", {}).get("message", "")
    on = [name for name in names if name in message] or names
    found = aws.call("cloudwatch", "describe_alarms", AlarmNames=on)["MetricAlarms"]
    lines = "".join(
        f"\n  alarm {one['AlarmName']}: {one.get('AlarmDescription', '')}; now {one['StateValue']}"
        f"\n    {_measured(aws, one, info)}"
        for one in found
    )
    hook = _machine(aws, machines)[0]
    return lines + hook, "find out what the alarm measured, mend it, and push again once the alarm is OK"


def _measured(aws: Aws, alarm: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """Why it came on first, during the deployment or before: by now it may be OK, and tell why that is."""
    reason = str(alarm.get("StateReason", ""))
    if alarm["StateValue"] == ON:
        return reason
    for item in aws.pages(
        "cloudwatch",
        "describe_alarm_history",
        "AlarmHistoryItems",
        AlarmName=alarm["AlarmName"],
        HistoryItemType="StateUpdate",
        ScanBy="TimestampDescending",
    ):
        state = json.loads(item["HistoryData"]).get("newState", {})
        if state.get("stateValue") == ON:
            reason = str(state.get("stateReason", ""))
        if item["Timestamp"] < info["createTime"]:
            break
    return reason


def _way_back(aws: Aws, info: Mapping[str, Any]) -> str:
    """What CodeDeploy did about it."""
    told = info.get("rollbackInfo", {})
    back = told.get("rollbackDeploymentId", "")
    if not back:
        return f"\n  {told['rollbackMessage']}" if told.get("rollbackMessage") else ""
    status = aws.call("codedeploy", "get_deployment", deploymentId=back)["deploymentInfo"]["status"]
    left = "; the green fleet may be left, and costs" if status == "Failed" else ""
    return f"\n  rolled back by {back}: {status}{left}"
