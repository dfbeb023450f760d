"""Tells what happens: EventBridge events, and messages to a group's SNS triggers.

https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-cloudwatch-events.html
https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-sns-event-notifications-json-format.html
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy import answers
from gbg_sandbox.services.codedeploy.state import Deployment, Target

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

TRIGGER_OF = {
    "START": "DeploymentStart",
    "SUCCESS": "DeploymentSuccess",
    "FAILURE": "DeploymentFailure",
    "STOP": "DeploymentStop",
    "READY": "DeploymentReady",
    "ROLLBACK": "DeploymentRollback",
}
SUBJECT_OF = {
    "START": "CREATED",
    "SUCCESS": "SUCCEEDED",
    "FAILURE": "FAILED",
    "STOP": "STOPPED",
    "READY": "READY",
    "ROLLBACK": "ROLLBACK",
}


class Announcer:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def deployment(self, of: Deployment, state: str) -> None:
        group = of.group
        resources = [
            self._cloud.arn("codedeploy", f"deploymentgroup:{group.application}/{group.name}"),
            self._cloud.arn("codedeploy", f"application:{group.application}"),
        ]
        if state != "ROLLBACK":
            detail = {**self._common(of), "state": state}
            self._cloud.events.publish(
                "aws.codedeploy", "CodeDeploy Deployment State-change Notification", detail, resources
            )
        self._trigger(of, TRIGGER_OF[state], SUBJECT_OF[state], {"status": SUBJECT_OF[state]})

    def instance(self, of: Deployment, target: Target, state: str) -> None:
        detail = {**self._common(of), "instanceId": target.instance_id, "state": state}
        arn = self._cloud.arn("ec2", f"instance/{target.instance_id}")
        self._cloud.events.publish(
            "aws.codedeploy", "CodeDeploy Instance State-change Notification", detail, [arn]
        )
        names = {"START": "InstanceStart", "SUCCESS": "InstanceSuccess", "FAILURE": "InstanceFailure"}
        if state in names:
            fields = {"instanceId": arn, "instanceStatus": target.status}
            self._trigger(of, names[state], target.status.upper(), fields)

    def explain(self, of: Deployment, what: str, **detail: Any) -> None:
        """What AWS doesn't tell, for who watches the sandbox."""
        fields = {"deploymentId": of.id, "what": what, **detail}
        self._cloud.events.publish("gbg.sandbox", "CodeDeploy Explanation", fields)

    def _common(self, of: Deployment) -> dict[str, str]:
        return {
            "region": self._cloud.region,
            "application": of.group.application,
            "deploymentGroup": of.group.name,
            "deploymentId": of.id,
            "instanceGroupId": of.group.id,
        }

    def _trigger(self, of: Deployment, event: str, subject: str, fields: dict[str, str]) -> None:
        for trigger in of.settings.get("triggerConfigurations", []):
            if event not in trigger.get("triggerEvents", []):
                continue
            message = {
                "region": self._cloud.region,
                "accountId": self._cloud.account,
                "eventTriggerName": trigger["triggerName"],
                "applicationName": of.group.application,
                "deploymentId": of.id,
                "deploymentGroupName": of.group.name,
                "createTime": of.created.strftime("%a %b %d %H:%M:%S UTC %Y"),
                "completeTime": of.completed.strftime("%a %b %d %H:%M:%S UTC %Y") if of.completed else None,
                "deploymentOverview": json.dumps(answers.overview(of)),
                **fields,
            }
            self._publish(of, trigger["triggerTargetArn"], subject, message)

    def _publish(self, of: Deployment, topic: str, subject: str, message: dict[str, Any]) -> None:
        """A topic that can't be reached doesn't fail a deployment, on AWS neither."""
        title = f"{subject}: AWS CodeDeploy {of.id} in {self._cloud.region} to {of.group.application}"
        try:
            sns = self._cloud.client(
                "sns", role=of.group.role, acting="codedeploy.amazonaws.com", session=of.id
            )
            sns.publish(TopicArn=topic, Subject=title[:100], Message=json.dumps(message))
        except ClientError as error:
            log.warning("the trigger of %s was not sent: %s", of.id, error)
            self.explain(of, f"the trigger to {topic} was not sent: {error}")
