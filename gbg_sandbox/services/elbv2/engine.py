"""What runs: a proxy for each load balancer that listens, a watcher for each target, draining.

The deregistration delay passes on the scaled clock, but requests in flight are real work: they get the delay
in real seconds, and the target is `draining` as long as one is left.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gbg_sandbox.events import Event
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.elbv2.health import check, judge
from gbg_sandbox.services.elbv2.proxy import Counted, Proxy
from gbg_sandbox.services.elbv2.proxy_config import Backend, Plan, Route, Server
from gbg_sandbox.services.elbv2.state import NOT_IN_USE, Key, LoadBalancer, Records, Target, TargetGroup

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

LEAST_INTERVAL_SECONDS = 0.25
"""real time between two checks of a target, however fast the clock"""
START_SECONDS = 10.0
"""real time in which a proxy has to answer"""
GONE = ("stopping", "stopped", "shutting-down", "terminated")


class Engine:
    def __init__(self, cloud: Cloud, records: Records, lock: threading.RLock) -> None:
        self._cloud = cloud
        self._records = records
        self._lock = lock
        self._proxies: dict[str, list[Proxy]] = defaultdict(list)
        """oldest first; the last one takes new connections"""
        self._lost: set[str] = set()
        """load balancers whose proxy has died and has no successor yet"""
        self._building = threading.Lock()
        self.start_seconds = START_SECONDS
        self._built = 0
        self._stopped = False

    def start(self) -> None:
        self._cloud.events.subscribe(self._read)

    def stop(self) -> None:
        with self._building, self._lock:
            self._stopped = True
            everything = list(self._proxies)
        for arn in everything:
            self.end(arn)

    def proxies(self, load_balancer_arn: str) -> list[Proxy]:
        with self._lock:
            return list(self._proxies[load_balancer_arn])

    def apply_rules(self, load_balancer: LoadBalancer) -> None:
        """Let a new proxy take over with the load balancer's present rules. Raises AwsError."""
        with self._building:
            if self._stopped:
                raise AwsError("ServiceUnavailable", "the sandbox is stopping", 503)
            plan = self._plan(load_balancer)
            self._built += 1
            folder = self._cloud.state_dir / "elbv2" / f"{load_balancer.id}-{self._built}"
            proxy = Proxy(
                self._cloud,
                folder,
                load_balancer.socket,
                load_balancer.vpc_id,
                plan,
                start_seconds=self.start_seconds,
            )
            with self._lock:
                self._lost.discard(load_balancer.arn)
                former = [one for one in self._proxies[load_balancer.arn] if one.retired_at is None]
                self._proxies[load_balancer.arn].append(proxy)
            for one in former:
                try:
                    one.retire()
                except OSError as error:
                    log.warning("the former proxy of %s is gone: %s", load_balancer.name, error)
        self.refresh()

    def end(self, load_balancer_arn: str) -> None:
        """Stop listening at once."""
        with self._lock:
            ended = self._proxies.pop(load_balancer_arn, [])
        for proxy in ended:
            proxy.end()
            shutil.rmtree(proxy.folder, ignore_errors=True)

    def refresh(self) -> None:
        """Let targets of groups that came into use begin, and those of groups out of use rest."""
        with self._lock:
            groups = list(self._records.groups.values())
            for group in groups:
                used = bool(self._records.users(group.arn))
                for target in group.targets.values():
                    if used and target.reason == NOT_IN_USE[0]:
                        self._begin(group, target)
                    elif not used and target.state not in ("unused", "draining"):
                        target.rest(*NOT_IN_USE)
        for group in groups:
            self.push(group.arn)

    def register(self, group: TargetGroup, targets: Sequence[Target]) -> None:
        with self._lock:
            for target in targets:
                known = group.targets.get(target.key)
                if known is not None and known.state != "draining":
                    continue
                group.targets[target.key] = target
                if self._records.users(group.arn):
                    self._begin(group, target)
        self.push(group.arn)

    def deregister(self, group: TargetGroup, keys: Sequence[Key]) -> None:
        with self._lock:
            for key in keys:
                target = group.targets.get(key)
                if target is None or target.state == "draining":
                    continue
                if target.state == "unused":
                    del group.targets[key]
                    continue
                target.round += 1
                target.move(
                    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
                )
                self._tell(group, target)
                args = (group, target, target.round, group.deregistration_delay)
                self._cloud.spawn(f"drain {target.server}", self._drain, *args)
        self.push(group.arn)

    def push(self, group_arn: str) -> None:
        """Tell the proxies how the group's targets stand."""
        with self._lock:
            proxies = [proxy for kept in self._proxies.values() for proxy in kept if proxy.serves(group_arn)]
        for proxy in proxies:
            try:
                proxy.sync(self._servers)
            except OSError as error:
                log.warning("a proxy could not be told about %s: %s", group_arn, error)

    def look_after(self, load_balancer: LoadBalancer) -> list[tuple[Proxy, Counted]]:
        """Each proxy's counters.

        Finishes deletions that had to wait, ends former proxies that are done, starts anew one that died,
        again at the next call if it can't be started now.
        """
        read: list[tuple[Proxy, Counted]] = []
        for proxy in self.proxies(load_balancer.arn):
            try:
                proxy.sync(self._servers)
                read.append((proxy, proxy.counted()))
                if proxy.finished():
                    self._dismiss(load_balancer, proxy)
            except OSError as error:
                log.warning("a proxy of %s is gone: %s", load_balancer.name, error)
                self._dismiss(load_balancer, proxy)
                if proxy.retired_at is None:
                    self._lost.add(load_balancer.arn)
        if load_balancer.arn in self._lost:
            self._revive(load_balancer)
        return read

    def _dismiss(self, load_balancer: LoadBalancer, proxy: Proxy) -> None:
        with self._lock:
            kept = self._proxies[load_balancer.arn]
            if proxy in kept:
                kept.remove(proxy)
        proxy.end()
        shutil.rmtree(proxy.folder, ignore_errors=True)

    def _revive(self, load_balancer: LoadBalancer) -> None:
        with self._lock:
            gone = load_balancer.listener is None or load_balancer.arn not in self._records.load_balancers
        if self._cloud.clock.stopped:
            return
        if gone:
            self._lost.discard(load_balancer.arn)
            return
        detail = {"loadBalancer": load_balancer.name}
        try:
            self.apply_rules(load_balancer)
        except AwsError as error:
            log.warning("%s has no proxy: %s", load_balancer.name, error)
            detail["error"] = error.message
        told = "Load Balancer Restarted" if "error" not in detail else "Load Balancer Restart Failed"
        self._cloud.events.publish("gbg.sandbox", told, detail, [load_balancer.arn])

    def _plan(self, load_balancer: LoadBalancer) -> Plan:
        with self._lock:
            if load_balancer.listener is None:
                raise AwsError("ListenerNotFound", f"{load_balancer.name} does not listen any more")
            groups = [self._records.group(arn) for arn in load_balancer.target_groups()]
            routes = [Route(rule.conditions, rule.actions[0]) for rule in load_balancer.listener.rules]
            idle = int(load_balancer.attributes["idle_timeout.timeout_seconds"])
        backends = [
            Backend(
                one.backend, one.arn, one.attributes["load_balancing.algorithm.type"], self._servers(one.arn)
            )
            for one in groups
        ]
        drop = load_balancer.attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
        return Plan(idle, drop, tuple(routes), tuple(backends))

    def _servers(self, group_arn: str) -> tuple[Server, ...]:
        """How the proxies are to see a group: with no healthy target, all but draining ones get requests."""
        with self._lock:
            group = self._records.groups.get(group_arn)
            targets = list(group.targets.values()) if group else []
            network = group.vpc_id if group else ""
            any_healthy = any(target.state == "healthy" for target in targets)
            states = {"healthy": "ready", "draining": "drain"}
            otherwise = "maint" if any_healthy else "ready"
            found = [(one, states.get(one.state, otherwise)) for one in targets if one.can_serve]
        reach = self._cloud.machines.reach
        return tuple(Server(one.server, reach(network, one.address), one.port, state) for one, state in found)

    def _begin(self, group: TargetGroup, target: Target) -> None:
        target.begin()
        self._tell(group, target)
        self._cloud.spawn(f"watch {target.server}", self._watch, group, target, target.round)

    def _watch(self, group: TargetGroup, target: Target, round_: int) -> None:
        """Check a target until its round is over."""

        while True:
            with self._lock:
                if target.round != round_:
                    return
                path, matcher, limit = group.health_path, group.matcher, group.timeout_seconds
                interval = self._cloud.clock.real_seconds(group.interval_seconds)
                port = target.port if group.health_port == "traffic-port" else int(group.health_port)
            result = check(
                lambda address, number, seconds: self._cloud.machines.connect(
                    group.vpc_id, address, number, seconds
                ),
                target.address,
                port,
                path,
                matcher,
                limit,
            )
            with self._lock:
                if target.round != round_:
                    return
                changed = judge(target, result, group.healthy_threshold, group.unhealthy_threshold)
                if changed:
                    self._tell(group, target)
            if changed:
                self.push(group.arn)
            self._cloud.clock.pause(max(interval, LEAST_INTERVAL_SECONDS))

    def _drain(self, group: TargetGroup, target: Target, round_: int, delay: int) -> None:
        deadline = time.monotonic() + delay
        self._cloud.clock.sleep(delay)
        while self._in_flight(group, target) and time.monotonic() < deadline:
            self._cloud.clock.pause(0.1)
        with self._lock:
            if group.targets.get(target.key) is target and target.round == round_:
                del group.targets[target.key]
                target.rest("Target.NotRegistered", "Target is not registered to the target group")
                self._tell(group, target)
        self.push(group.arn)

    def _in_flight(self, group: TargetGroup, target: Target) -> int:
        """Of all proxies; one that died has none."""
        with self._lock:
            proxies = [proxy for kept in self._proxies.values() for proxy in kept if proxy.serves(group.arn)]
        found = 0
        for proxy in proxies:
            with contextlib.suppress(OSError):
                found += proxy.in_flight(group.backend, target.server)
        return found

    def _read(self, event: Event) -> None:
        if event.source == "aws.ec2" and event.detail_type == "EC2 Instance State-change Notification":
            self._instance_changed(event.detail["instance-id"], event.detail["state"])

    def _instance_changed(self, instance_id: str, state: str) -> None:
        with self._lock:
            groups = [
                group
                for group in self._records.groups.values()
                if any(key[0] == instance_id for key in group.targets)
            ]
            for group in groups:
                for target in [one for key, one in group.targets.items() if key[0] == instance_id]:
                    self._follow(group, target, state)
        for group in groups:
            self.push(group.arn)

    def _follow(self, group: TargetGroup, target: Target, state: str) -> None:
        if state in GONE and target.state != "unused":
            target.rest("Target.InvalidState", f"Target is in the {state} state")
            self._tell(group, target)
        if state == "terminated":
            del group.targets[target.key]
        elif state == "running" and target.reason == "Target.InvalidState":
            self._begin(group, target)

    def _tell(self, group: TargetGroup, target: Target) -> None:
        group.sample()
        detail = {
            "targetGroup": group.name,
            "instance-id": target.instance_id,
            "port": target.port,
            "state": target.state,
            "reason": target.reason,
            "description": target.description,
        }
        self._cloud.events.publish("gbg.sandbox", "Target Health Change", detail, [group.arn])
