"""The gates of a release that is going on: looked at each time somebody looks at the release.

While blue serves and the deployment waits, green is tested and the traffic is let through; while blue still
stays, green is watched. A gate that stays shut stops the deployment, so that the traffic is blue's again.
https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ContinueDeployment.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import Deployment, DeploymentGroup, deployment, deployment_group
from gbg_lib.errors import AccessRefused, AwsError, GateRefused
from gbg_lib.fleet import read_page
from gbg_lib.gates.after_traffic import AfterTraffic, Tolerance, change_of_traffic
from gbg_lib.gates.before_traffic import smoke_test
from gbg_lib.gates.gate import Finding, Gate, Judgement, Person, Watch, require_open
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import DEPLOY, Action
from gbg_lib.replay import clock
from gbg_lib.way_back.situation import Alarm, alarms

PROBES = 10
"""visits a look while green is watched, so that a site without visitors has figures too"""
LEAST_WATCH_SECONDS = 60.0
"""where minutes are hurried, real work still takes its time"""
COMPLETED = "DeploymentAlreadyCompletedException"
BEFORE, AFTER = "Gate before traffic", "Gate after traffic"


class ReleaseGates:
    """`base` holds Part 1's outputs; `wanted` gives commit and image of the release once they are known."""

    def __init__(
        self,
        aws: Aws,
        base: Mapping[str, str],
        parameters: Parameters,
        person: Person,
        wanted: Callable[[], dict[str, str]],
    ) -> None:
        self.aws = aws
        self.base = base
        self.parameters = parameters
        self.person = person
        self.wanted = wanted
        self.refusal: GateRefused | None = None
        self.judgements: dict[str, Judgement] = {}
        """the last word of each gate so far"""
        self._watches: dict[str, Watch] = {}
        self._begun: dict[str, datetime] = {}
        self._group: DeploymentGroup | None = None
        self._unstopped: tuple[Deployment, GateRefused] | None = None
        """a deployment that AWS would not stop just now, and why it is to be stopped"""

    def beside(self, actions: list[Action]) -> list[Action]:
        """One look at what the gates have to say now; a row a gate."""
        started = next((one for one in actions if one.stage == DEPLOY and one.status == "InProgress"), None)
        if started is not None and started.external_id:
            self.look(deployment(self.aws, started.external_id))
        return [self._row(name, judgement) for name, judgement in self.judgements.items()]

    def look(self, found: Deployment) -> None:
        if self._unstopped is not None:
            self._stop(*self._unstopped)
        if found.over or self.refusal is not None or found.creator == "codeDeployRollback":
            return
        if found.status == "Ready":
            self._before_traffic(found)
        elif found.termination_wait:
            self._after_traffic(found)
        elif found.status == "InProgress" and self.parameters.watch_minutes:
            self._visit(1)

    def finish(self) -> None:
        """The word of a gate that a good release's end came before. Raises what `require` raises."""
        watch = self._watches.get(AFTER)
        if watch is not None and deployment(self.aws, self._watched.id).status == "Succeeded":
            while not watch.final and self.refusal is None:
                self._visit(PROBES)
                self._look(AFTER, self._watched)
                self.aws.pause()
        self.require()

    def require(self) -> None:
        """Raises GateRefused when one of the gates stopped the release, or would have."""
        if self.refusal is not None:
            raise self.refusal
        if self._unstopped is not None:
            found, refusal = self._unstopped
            told = f"{refusal.what}; deployment {found.id} could not be stopped"
            raise GateRefused(refusal.where, told, refusal.try_this)

    def _before_traffic(self, found: Deployment) -> None:
        if BEFORE not in self._watches:
            limit = self.parameters.gate_minutes * 60
            condition = "green answers as this release, asked directly"
            self._watches[BEFORE] = Watch(Gate(BEFORE, condition, limit, lambda: self._smoke(found)))
        if self._look(BEFORE, found, always_ask=self.parameters.decision == "ask"):
            self._continue(found)

    def _smoke(self, found: Deployment) -> Finding:
        return smoke_test(self.aws, found.id, self.wanted() | {"deployment": found.id})

    def _after_traffic(self, found: Deployment) -> None:
        if AFTER not in self._watches:
            gate = self._watching(found)
            if gate is None:
                return
            self._watches[AFTER], self._watched = Watch(gate), found
        if not self._watches[AFTER].final:
            self._visit(PROBES)
        self._look(AFTER, found)

    def _watching(self, found: Deployment) -> Gate | None:
        """None where blue is to go before anything can be seen."""
        minutes = min(self.parameters.watch_minutes, self.group.termination_wait_minutes - 1)
        change = change_of_traffic(self.aws, found.id) if minutes > 0 else None
        if change is None:
            return None
        given = self.parameters
        tolerance = Tolerance(
            given.error_percent, given.latency_percent, given.latency_milliseconds, given.fewest_requests
        )
        watched = AfterTraffic(
            self.aws,
            self.base["LoadBalancerArn"],
            self.base["TargetGroupArn"],
            change,
            minutes * self.aws.minute_seconds,
            tolerance,
            self._alarms,
        )
        limit = (self.group.termination_wait_minutes - 0.5) * self.aws.minute_seconds
        limit = max(min(limit, watched.watch_seconds + given.gate_minutes * 60), LEAST_WATCH_SECONDS)
        return Gate(AFTER, "green errs no more and is no slower than blue", limit, watched.look)

    def _look(self, name: str, found: Deployment, *, always_ask: bool = False) -> bool:
        """Whether the gate has just opened. A gate that stays shut stops the deployment."""
        watch = self._watches[name]
        if watch.final:
            return False
        self._begun.setdefault(name, clock.now())
        self.judgements[name] = judgement = watch.look()
        if not watch.final:
            return False
        try:
            [self.judgements[name]] = require_open([judgement], self.person, always_ask=always_ask)
        except GateRefused as refusal:
            self._stop(found, refusal)
            return False
        return True

    def _stop(self, found: Deployment, refusal: GateRefused) -> None:
        """Traffic goes back to blue while it lives; told, and raised when the release is over.

        Where AWS does not answer it is tried again at the next look.
        """
        done = f"deployment {found.id} is stopped, and the traffic is blue's"
        try:
            self.aws.call("codedeploy", "stop_deployment", deploymentId=found.id, autoRollbackEnabled=True)
        except AccessRefused as error:
            done = f"deployment {found.id} goes on, for it may not be stopped ({error.what})"
        except AwsError as error:
            status = self._status(found) if error.what.startswith(COMPLETED) else ""
            if not status:
                self._unstopped = found, refusal
                return
            if status == "Succeeded":
                done = f"blue is gone already ({error.what}); runbook 05 says which way back is open"
            else:
                done = f"deployment {found.id} is over already: {status}"
        self._unstopped = None
        self.refusal = GateRefused(refusal.where, f"{refusal.what}; {done}", refusal.try_this)

    def _status(self, found: Deployment) -> str:
        """As AWS tells it now; empty where it doesn't answer."""
        try:
            return deployment(self.aws, found.id).status
        except AwsError:
            return ""

    def _continue(self, found: Deployment) -> None:
        self.aws.call(
            "codedeploy", "continue_deployment", deploymentId=found.id, deploymentWaitType="READY_WAIT"
        )

    @property
    def group(self) -> DeploymentGroup:
        if self._group is None:
            self._group = deployment_group(
                self.aws, self.base["ApplicationName"], self.base["DeploymentGroupName"]
            )
        return self._group

    def _alarms(self) -> list[Alarm]:
        return [
            alarm
            for alarm in alarms(self.aws, self.group, self.base["Deployment"])
            if alarm.name in self.group.alarms
        ]

    def _visit(self, times: int) -> None:
        for _ in range(times):
            read_page(self.base["SiteUrl"])

    def _row(self, name: str, judgement: Judgement) -> Action:
        status = {"pass": "Succeeded", "fail": "Failed"}.get(judgement.verdict, "InProgress")
        if status == "InProgress" and self.refusal is not None:
            status = "Failed"
        began = self._begun[name]
        told = judgement.condition if judgement.open else judgement.found
        return Action(name, name, name, status, began, clock.now(), "", told)
