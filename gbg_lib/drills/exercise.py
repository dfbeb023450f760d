"""Runbook 08: one drill from its start to a site that serves again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from gbg_lib import faults
from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.deployments import active_deployments
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.drills import session as sessions
from gbg_lib.drills.catalogue import DRILLS
from gbg_lib.drills.drill import QUESTIONS, WHERE_TO_LOOK, Drill, draw, predictions
from gbg_lib.drills.session import Session
from gbg_lib.errors import GateRefused, GbgError, NotThere
from gbg_lib.fleet import read_page
from gbg_lib.gates.before_bake import BeforeBake
from gbg_lib.gates.gate import judge, require_open
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Action
from gbg_lib.replay import clock
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

STRIKE_SECONDS = 60


def now() -> str:
    return clock.now().isoformat()


class Exercise(ReleaseRun):
    """What a learner does; each step can be taken by another process than the one before."""

    def __init__(
        self, parameters: Parameters, aws: Aws | None = None, clock: Callable[[], str] = now
    ) -> None:
        super().__init__(parameters, aws)
        self._now = clock

    @property
    def session(self) -> Session:
        """Raises NotThere."""
        found = sessions.load(self)
        if found is None:
            raise NotThere("drill", f"none goes on in {self.parameters.deployment}", "start one first")
        return found

    @property
    def drill(self) -> Drill:
        return draw(DRILLS, self.session.drill, 0)

    def describe(self) -> str:
        """What starting would do; the drill itself is told only to who named it. Changes nothing."""
        if there := sessions.load(self):
            return f"nothing can be started: a drill goes on since {there.began}; `./gbg drill --end` ends it"
        self._require_release()
        drill = draw(DRILLS, self.parameters.drill, self.parameters.seed)
        told = predictions(self.parameters.predictions)
        which = drill.name if self.parameters.drill else f"one of {len(DRILLS)} drills, drawn with a seed"
        return f"{which}; {len(told)} of {len(QUESTIONS)} predictions made"

    def start(self, *, confirm: str = "") -> Session:
        """Plant the fault and begin the release that meets it; this process holds the pipeline's lock.

        Raises Locked while somebody else releases, GateRefused while a drill or another release goes on,
        NotThere where nothing was released yet.
        """
        if there := sessions.load(self):
            raise GateRefused("drill", f"one goes on since {there.began}", "`./gbg drill --end`, then again")
        self._require_release()
        drill = draw(DRILLS, self.parameters.drill, self.parameters.seed)
        told = predictions(self.parameters.predictions)
        self.hold("a drill")
        with self.let_go_unless_begun():
            self._require_rest()
            good = read_page(self.base["SiteUrl"] + "health").facts.get("commit", "")
            faults.plant(self, faults.CATALOGUE[drill.name], confirm=confirm)
            execution = faults.begin(self, faults.CATALOGUE[drill.name])
            return sessions.save(self, Session(drill.name, execution, self._now(), good, told))

    def _require_release(self) -> None:
        """Something has to serve while the drill's release fails."""
        try:
            released = any(one.status == "Succeeded" for one in self.pipeline.executions())
        except NotThere:
            released = False
        if not released:
            what = f"{self.parameters.deployment} has no good release yet, that could serve meanwhile"
            raise NotThere("drill", what, "release once: runbooks 01 to 04")

    def _require_rest(self) -> None:
        """Of the gates before a bake this one alone: a fault is planted to trip over the others."""
        gate = BeforeBake(self.aws, self.base, self.pipeline, ()).alone(self.parameters.gate_minutes * 60)
        require_open([judge(self.aws, gate)], self.person)

    def strike(self) -> None:
        """For a fault that waits for its moment; at once over for one that lies in the way by itself."""
        faults.CATALOGUE[self.session.drill].strike(self, self.session.execution)

    def watch(self) -> Iterator[list[Action]]:
        """Follow the release to its end, while the fault waits for its moment. Raises what that raised.

        Without the gates of runbook 04, which would act before the learner does.
        """
        session = self.session
        failures: list[GbgError] = []

        def work() -> None:
            try:
                faults.CATALOGUE[session.drill].strike(self, session.execution)
            except GbgError as error:
                failures.append(error)

        thread = threading.Thread(target=work, name="fault", daemon=True)
        thread.start()
        limit = self.parameters.release_minutes * 60
        try:
            yield from self.pipeline.follow(session.execution, limit_seconds=limit)
        finally:
            self.let_go()
        thread.join(STRIKE_SECONDS)
        if failures:
            raise failures[0]

    def failed(self) -> str:
        """When the release failed; empty while nothing has. Kept, for a stage that is retried forgets it."""
        session = self.session
        if session.failed:
            return session.failed
        actions = self.pipeline.actions(session.execution)
        ended = [one.updated for one in actions if one.status in ("Failed", "Abandoned")]
        if not ended and self.pipeline.execution(session.execution).over:
            ended = [max(one.updated for one in actions)]
        if not ended:
            return ""
        return sessions.save(self, session.with_(failed=min(ended).isoformat())).failed

    def notice(self) -> Session:
        """The learner says that something is wrong; only the first time counts.

        Raises GateRefused while nothing is.
        """
        if not self.failed():
            raise GateRefused("drill", "nothing has failed yet", "watch the release: runbook 04 follows it")
        session = self.session
        return session if session.noticed else sessions.save(self, session.with_(noticed=self._now()))

    def hint(self) -> str:
        """The next one; the last one again when there are no more."""
        session, hints = self.session, self.drill.hints
        sessions.save(self, session.with_(hints=min(session.hints + 1, len(hints))))
        return hints[min(session.hints, len(hints) - 1)]

    def predict(self, text: str) -> None:
        """Add or change answers, which are checked at the end. Raises MisuseError."""
        session = self.session
        sessions.save(self, session.with_(predictions={**session.predictions, **predictions(text)}))

    def answer(self, text: str) -> list[Check]:
        """Add or change answers, and check them all. Raises MisuseError, GateRefused before the end."""
        self.predict(text)
        return self.check_answers()

    def check_answers(self) -> list[Check]:
        """A check a question; one that is not right says where to look. Raises GateRefused before the end."""
        session, drill = self.session, self.drill
        if not self.pipeline.execution(session.execution).over:
            raise GateRefused("drill", "the release goes on", "watch it to its end")
        return [
            Check(question, told == drill.right(question), told or "not answered", WHERE_TO_LOOK[question])
            for question in QUESTIONS
            for told in [session.predictions.get(question, "")]
        ]

    def mend(self) -> str:
        """Take the fault away and release again, for a learner who does not by hand; the execution.

        One that goes on already is not begun again: who was interrupted follows it on. Raises Locked while
        somebody else releases.
        """
        session = self.session
        if session.repair and not self.pipeline.execution(session.repair).over:
            return session.repair
        self.hold("the release that ends a drill")
        with self.let_go_unless_begun():
            self._wait_for_rollback()
            faults.remove(self, faults.CATALOGUE)
            repair = faults.begin(self, faults.CATALOGUE[session.drill])
            return sessions.save(self, session.with_(repair=repair)).repair

    def check_restored(self) -> list[Check]:
        """Whether the site is well again, and what to look at where it isn't.

        That a release succeeded proves that its cause is gone, whoever mended it and however.
        """
        session = self.session
        newest = self.pipeline.executions()[0]
        health = read_page(self.base["SiteUrl"] + "health")
        serving = health.facts.get("commit", "")
        well = newest.status == "Succeeded"
        one = sum(bool(fleet.serving) for fleet in self.fleets()) == 1
        way = "mend the cause (`gbg drill --mend` does it for you), release again, and follow it"
        checks = [
            Check("release", well, f"{newest.id[:8]} {newest.status}", way, pending=not newest.over),
            Check(
                "site",
                serving == newest.commit,
                f"commit {serving[:8]}",
                "read the release's message",
                pending=not newest.over,
            ),
            Check("one fleet", one, "by target health", "the end of blue, or of the rollback", pending=True),
        ]
        if all(check.passed for check in checks) and not session.restored:
            sessions.save(self, session.with_(restored=self._now()))
        return checks

    def check(self, execution_id: str = "") -> list[Check]:
        """The same for a run that nobody watches. Raises CheckFailed."""
        return require(self.check_restored())

    def times(self) -> dict[str, float]:
        """Seconds from the failure to noticing it, and to a site that is well again; those that are known."""
        failed, session = self.failed(), self.session
        known = {"to notice": session.noticed, "to restore": session.restored} if failed else {}
        return {name: max(sessions.seconds_between(failed, at), 0.0) for name, at in known.items() if at}

    def message(self) -> str:
        """What the release's own check says. Raises GateRefused when there was nothing to find."""
        try:
            require_succeeded(self.aws, self.release(self.session.execution))
        except GbgError as error:
            return str(error)
        raise GateRefused("drill", "the release succeeded", "see how far the drill is")

    def end(self) -> str:
        """Take away what the drill left, in words; the releases that it caused stay.

        A learner who restored the site by hand has mended the cause: that stays as it is.
        """
        session = sessions.load(self)
        if session is not None and all(check.passed for check in self.check_restored()):
            faults.forget(self)
            removed = ""
        else:
            removed = faults.remove(self, faults.CATALOGUE)
        sessions.forget(self)
        self.let_go()
        if removed:
            return f"The drill is over; {removed} was taken away"
        return "The drill is over" if session else "No drill was going on"

    def _wait_for_rollback(self) -> None:
        """A deployment group takes one deployment at a time. Raises TimedOut."""
        wait_until(
            self.aws,
            lambda: None if self._at_work() else True,
            limit_seconds=self.parameters.release_minutes * 60,
            what="the end of the rollback",
            try_this="look at the deployments of the group",
        )

    def _at_work(self) -> list[str]:
        return active_deployments(self.aws, self.base["ApplicationName"], self.base["DeploymentGroupName"])
