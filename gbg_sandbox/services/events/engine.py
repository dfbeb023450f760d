"""Delivery: events and schedules on one side, targets on the other, retries in between.

A target that can't be started by a right or a name that is missing is not tried again, as on AWS; the failure
is published, since there is no queue for dead letters here.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gbg_sandbox.events import Event
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.events.patterns import matches
from gbg_sandbox.services.events.schedule import REAL_FLOOR_SECONDS
from gbg_sandbox.services.events.state import Rule, Rules
from gbg_sandbox.services.events.targets import deliver
from gbg_sandbox.services.events.transformer import target_input

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

OWN_SOURCE = "gbg.sandbox"
"""the sandbox's own notices, which AWS doesn't have and no rule sees"""
RETRIED_CODES = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)
MOST_RETRIES = 185
LONGEST_WAIT_SECONDS = 600.0


def as_json(event: Event, account: str, region: str) -> dict[str, Any]:
    """An event in EventBridge's form."""
    return {
        "version": "0",
        "id": event.id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": account,
        "time": event.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(event.resources),
        "detail": dict(event.detail),
    }


class Engine:
    def __init__(self, cloud: Cloud, rules: Rules, lock: threading.Lock) -> None:
        self._cloud = cloud
        self._rules = rules
        self._lock = lock
        self._due: dict[tuple[str, str], float] = {}
        """rule's name and schedule → when it is next triggered"""

    def start(self) -> None:
        self._cloud.events.subscribe(self.read)
        self._cloud.keep("events schedules", self._run_schedules)

    def read(self, event: Event) -> None:
        if event.source == OWN_SOURCE:
            return
        body = as_json(event, self._cloud.account, self._cloud.region)
        with self._lock:
            wanting = [
                rule
                for rule in self._rules.listed()
                if rule.enabled and rule.pattern and matches(rule.pattern, body)
            ]
        for rule in wanting:
            self._trigger(rule, body)

    def _run_schedules(self) -> None:
        self._cloud.clock.pause(0.2)
        with self._lock:
            scheduled = [rule for rule in self._rules.listed() if rule.enabled and rule.rate_seconds]
        self._due = {
            (rule.name, rule.schedule): self._due.get(
                (rule.name, rule.schedule), time.monotonic() + self._interval(rule)
            )
            for rule in scheduled
        }
        self._cloud.each("a rule's schedule", {rule.name: rule for rule in scheduled}, self._look)

    def _look(self, rule: Rule) -> None:
        if time.monotonic() >= self._due[(rule.name, rule.schedule)]:
            self._due[(rule.name, rule.schedule)] += self._interval(rule)
            self._trigger(rule, self._scheduled_event(rule))

    def _interval(self, rule: Rule) -> float:
        return max(self._cloud.clock.real_seconds(rule.rate_seconds), REAL_FLOOR_SECONDS)

    def _scheduled_event(self, rule: Rule) -> dict[str, Any]:
        event = Event("aws.events", "Scheduled Event", {}, (rule.arn,), time=self._cloud.clock.now())
        return as_json(event, self._cloud.account, self._cloud.region)

    def _trigger(self, rule: Rule, body: dict[str, Any]) -> None:
        self._count("TriggeredRules", rule)
        with self._lock:
            targets = [dict(target) for target in rule.targets.values()]
        for target in targets:
            self._cloud.spawn(f"deliver {rule.name} to {target['Id']}", self._deliver, rule, target, body)

    def _deliver(self, rule: Rule, target: dict[str, Any], body: dict[str, Any]) -> None:
        policy = target.get("RetryPolicy", {})
        retries = policy.get("MaximumRetryAttempts", MOST_RETRIES)
        oldest = self._cloud.clock.real_seconds(policy.get("MaximumEventAgeInSeconds", 86400))
        begun = time.monotonic()
        text = target_input(target, body, rule.names)
        attempt = 0
        while True:
            try:
                deliver(self._cloud, rule, target, text)
                return self._count("Invocations", rule)
            except (AwsError, ClientError, BotoCoreError) as error:
                if not worth_retrying(error) or attempt >= retries or time.monotonic() - begun > oldest:
                    return self._give_up(rule, target, body, error, attempt)
            attempt += 1
            self._cloud.clock.sleep(min(2.0**attempt, LONGEST_WAIT_SECONDS))

    def _give_up(
        self, rule: Rule, target: dict[str, Any], body: dict[str, Any], error: Exception, retries: int
    ) -> None:
        self._count("FailedInvocations", rule)
        detail = {
            "rule": rule.name,
            "target": target["Arn"],
            "eventId": body["id"],
            "retries": retries,
            "error": str(error),
        }
        self._cloud.events.publish(OWN_SOURCE, "EventBridge Delivery Failed", detail, [rule.arn])

    def _count(self, metric: str, rule: Rule) -> None:
        self._cloud.service("cloudwatch").record("AWS/Events", metric, {"RuleName": rule.name}, 1.0, "Count")


def worth_retrying(error: AwsError | ClientError | BotoCoreError) -> bool:
    """Whether another try may end otherwise: the target was busy or broken."""
    if isinstance(error, AwsError):
        code, status = error.code, error.status
    elif isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    else:
        return False
    return code in RETRIED_CODES or status in (429, 500, 502, 503, 504)
