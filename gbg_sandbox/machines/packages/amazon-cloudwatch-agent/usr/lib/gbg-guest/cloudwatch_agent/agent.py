"""The service: reads its configuration, then follows files and gauges until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from http.client import HTTPException

from cloudwatch_agent import config, place, schema
from cloudwatch_agent.delivery import Stream
from cloudwatch_agent.metrics import Metrics
from cloudwatch_agent.tail import Tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOOK_SECONDS = 1.0
LAST_SECONDS = 2
"""how long the deliveries may take after the order to stop"""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0


class Stopped(BaseException):
    """SIGTERM came."""


class Agent:
    """`aws` is the module instance_aws."""

    def __init__(self, aws: Any, settings: config.Config, log: place.Log) -> None:
        self.aws = aws
        self.settings = settings
        self.log = log
        self.streams: list[Stream] = []
        self.metrics: Metrics | None = None

    def run(self) -> None:
        try:
            self._begin()
            while True:
                self.turn()
                time.sleep(LOOK_SECONDS)
        except Stopped:
            self._end()

    def turn(self) -> None:
        for stream in self.streams:
            try:
                stream.turn(self.settings.logs_flush_seconds)
            except (OSError, HTTPException) as error:
                self.log.error(f"[logagent] {stream.tail.pattern}: {error}")
        if self.metrics is not None and time.monotonic() >= self.metrics.due():
            self.metrics.turn()

    def _begin(self) -> None:
        """Ask the metadata service who this is, as long as it takes: a network may come late."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                names = self._names()
                break
            except (self.aws.InstanceError, OSError, HTTPException) as error:
                self.log.error(f"[agent] {error}; trying again")
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.streams = [self._stream(source, names) for source in self.settings.sources]
        if self.settings.plugins:
            self.metrics = Metrics(self.aws, self.log, self.settings, names["{local_hostname}"])
        self.log.info(f"[agent] follows {len(self.streams)} log files for {names['{instance_id}']}")

    def _names(self) -> dict[str, str]:
        """What stands for the placeholders in names of groups and streams."""
        identity = self.aws.identity()
        return {
            "{instance_id}": str(identity["instanceId"]),
            "{ip_address}": str(identity["privateIp"]),
            "{hostname}": self._hostname(),
            "{local_hostname}": os.uname().nodename,
        }

    def _hostname(self) -> str:
        try:
            return str(self.aws.metadata("hostname"))
        except self.aws.MetadataMissingError:
            return os.uname().nodename

    def _stream(self, source: config.Source, names: dict[str, str]) -> Stream:
        group, stream = source.group, source.stream
        for placeholder, value in names.items():
            group, stream = group.replace(placeholder, value), stream.replace(placeholder, value)
        self.log.info(f"[logagent] {source.file_path} goes to {group}/{stream}")
        tail = Tail(source.file_path)
        return Stream(
            self.aws,
            self.log,
            tail,
            group,
            stream,
            retention_days=source.retention_days,
            event_start=source.event_start,
        )

    def _end(self) -> None:
        """Deliver what is there, quickly: the machine may be shutting down."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, lambda *_: os._exit(0))
        signal.alarm(LAST_SECONDS)
        for stream in self.streams:
            stream.finish(LAST_SECONDS / 2)
        self.log.info("[agent] stopped")


def _stop(*_: object) -> None:
    raise Stopped


def _become(user: str) -> None:
    """Give up root for the user that the configuration names. Raises KeyError, OSError."""
    import pwd

    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.getuid():
        return
    for directory, folders, files in os.walk(f"{place.HOME}/logs"):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(directory, name), entry.pw_uid, entry.pw_gid)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(arguments: list[str]) -> int:
    if arguments:
        print(f"start-{place.SERVICE}: unknown option {' '.join(arguments)}", file=sys.stderr)
        return 2
    try:
        settings = config.load(config.kept())
        with open(place.TOML_FILE, "w", encoding="utf-8") as file:
            file.write(config.translation(settings))
        _become(settings.user)
    except (config.NoConfig, schema.Invalid, OSError, KeyError) as error:
        print(f"E! {error}, exit now", file=sys.stderr)
        place.Log().error(f"[agent] {error}, exit now")
        return 1
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    if settings.region:
        os.environ["AWS_REGION"] = settings.region
    log = place.Log(settings.logfile)
    log.info(f"Starting AmazonCloudWatchAgent CWAgent/{place.version()} (gbg_sandbox)")
    try:
        import instance_aws

        Agent(instance_aws, settings, log).run()
    except Stopped:
        pass
    except Exception as error:
        log.error(f"[agent] {type(error).__name__}: {error}")
        raise
    return 0
