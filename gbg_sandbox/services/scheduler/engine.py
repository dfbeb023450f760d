"""Runs what is due: one thread looks at all schedules, each invocation has a thread of its own.

A call that a right or a name stands against is not tried again; there is no dead-letter queue here, so the
failure is published. https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.events.engine import LONGEST_WAIT_SECONDS, MOST_RETRIES, OWN_SOURCE, worth_retrying
from gbg_sandbox.services.events.schedule import REAL_FLOOR_SECONDS
from gbg_sandbox.services.scheduler.expressions import Once, Rate
from gbg_sandbox.services.scheduler.state import Schedule, Schedules
from gbg_sandbox.services.scheduler.targets import call

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

LOOK_SECONDS = 0.2
"""real time between two looks"""


@dataclass
class Course:
    """How far one schedule is; begins anew when the schedule is changed."""

    schedule: Schedule
    due: datetime | None = None
    """of hours of the day; None when there is none any more"""
    due_monotonic: float = 0.0
    """of a rate"""


class Engine:
    def __init__(self, cloud: Cloud, schedules: Schedules, lock: threading.Lock) -> None:
        self._cloud = cloud
        self._schedules = schedules
        self._lock = lock
        self._courses: dict[tuple[str, str], Course] = {}

    def start(self) -> None:
        self._cloud.keep("scheduler", self._run)

    def _run(self) -> None:
        self._cloud.clock.pause(LOOK_SECONDS)
        with self._lock:
            enabled = [schedule for schedule in self._schedules.by_key.values() if schedule.enabled]
        self._courses = {schedule.key: self._course(schedule) for schedule in enabled}
        self._cloud.each("a schedule", {"/".join(key): one for key, one in self._courses.items()}, self._look)

    def _course(self, schedule: Schedule) -> Course:
        known = self._courses.get(schedule.key)
        if known is not None and known.schedule is schedule:
            return known
        if isinstance(schedule.expression, Rate):
            return Course(schedule, due_monotonic=time.monotonic())
        return Course(schedule, schedule.expression.after(schedule.modified))

    def _look(self, course: Course) -> None:
        schedule, now = course.schedule, self._cloud.clock.now()
        if isinstance(schedule.expression, Rate):
            if self._within(schedule, now) and time.monotonic() >= course.due_monotonic:
                interval = self._cloud.clock.real_seconds(schedule.expression.seconds)
                course.due_monotonic += max(interval, REAL_FLOOR_SECONDS)
                self._invoke(schedule)
        elif course.due is not None and now >= course.due:
            due, course.due = course.due, schedule.expression.after(now)
            if isinstance(schedule.expression, Once) or self._within(schedule, due):
                self._invoke(schedule)
        self._complete(course, now)

    @staticmethod
    def _within(schedule: Schedule, moment: datetime) -> bool:
        start, end = schedule.given.get("StartDate"), schedule.given.get("EndDate")
        return (start is None or moment >= start) and (end is None or moment <= end)

    def _complete(self, course: Course, now: datetime) -> None:
        """Deletes a schedule that wants it and has nothing to do any more."""
        schedule, end = course.schedule, course.schedule.given.get("EndDate")
        over = (not isinstance(schedule.expression, Rate) and course.due is None) or (end and now > end)
        if over and schedule.given.get("ActionAfterCompletion") == "DELETE":
            with self._lock:
                if self._schedules.by_key.get(schedule.key) is schedule:
                    del self._schedules.by_key[schedule.key]

    def _invoke(self, schedule: Schedule) -> None:
        self._cloud.spawn(f"schedule {schedule.name}", self._deliver, schedule)

    def _deliver(self, schedule: Schedule) -> None:
        window = schedule.given["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0)
        self._cloud.clock.sleep(random.uniform(0, window * 60))
        policy = schedule.target.get("RetryPolicy", {})
        retries = policy.get("MaximumRetryAttempts", MOST_RETRIES)
        oldest = self._cloud.clock.real_seconds(policy.get("MaximumEventAgeInSeconds", 86400))
        begun, attempt = time.monotonic(), 0
        while True:
            self._count("InvocationAttemptCount", schedule)
            try:
                return call(self._cloud, schedule)
            except (AwsError, ClientError, BotoCoreError) as error:
                self._count("TargetErrorCount", schedule)
                if not worth_retrying(error) or attempt >= retries or time.monotonic() - begun > oldest:
                    return self._give_up(schedule, error, attempt)
            attempt += 1
            self._cloud.clock.sleep(min(2.0**attempt, LONGEST_WAIT_SECONDS))

    def _give_up(self, schedule: Schedule, error: Exception, retries: int) -> None:
        self._count("InvocationDroppedCount", schedule)
        detail = {
            "schedule": schedule.name,
            "target": schedule.target["Arn"],
            "retries": retries,
            "error": str(error),
        }
        self._cloud.events.publish(OWN_SOURCE, "Schedule Invocation Dropped", detail, [schedule.arn])

    def _count(self, metric: str, schedule: Schedule) -> None:
        dimensions = {"ScheduleGroup": schedule.group}
        self._cloud.service("cloudwatch").record("AWS/Scheduler", metric, dimensions, 1.0, "Count")
