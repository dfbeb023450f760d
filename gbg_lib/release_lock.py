"""One release at a time for a pipeline, across machines: a lock in its artifact bucket, with owner and lease.

S3 writes on a condition: a first lock only where there is none, a later one only over the version that
was read; each renewal is counted in it, so each is a version of its own. So one of many gets it, and a stale
one is taken over once. S3's own clock tells how old a lock is. It is renewed in the background; a holder that
dies leaves it to expire, and one that has lost it changes nothing more.
Who was asleep for longer than the lease asks S3 before the next change: nobody may have renewed meanwhile.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError, Locked, NotThere
from gbg_lib.objects import FASTER, GONE, age, code_of
from gbg_lib.replay import clock
from gbg_lib.replay.tape import asked
from gbg_lib.runner import journal
from gbg_lib.runs.folder import process_started, this_machine

log = logging.getLogger(__name__)
"""what it says is shown where the work is: below a notebook's cell, in a terminal, in a scheduler's log"""
KEY = "gbg/release-lock.json"
LEASE_SECONDS = 120.0
"""without a renewal for so long, a lock is stale"""
AT_END = 10
"""when, among what a process does at its end"""


@dataclass(frozen=True)
class Owner:
    user: str
    host: str
    pid: int
    pid_started: str
    run: str
    """name of the run's folder; empty outside of runs"""
    machine: str = ""
    """`this_machine`: a host's name alone is what many containers share"""

    @property
    def words(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}" + (f", run {self.run}" if self.run else "")

    @property
    def gone(self) -> bool:
        """Whether it was a process of this machine that has ended."""
        here = asked("process", {"host": self.host, "pid": self.pid}, self._started)
        return here is not None and here != self.pid_started

    def _started(self) -> str | None:
        """When its process began, as `process_started` tells it; None for one of another machine."""
        here = (self.host, self.machine) == (socket.gethostname(), this_machine())
        return process_started(self.pid) if here else None


def this_process() -> Owner:
    def told() -> list[Any]:
        path = os.environ.get(journal.VARIABLE, "")
        run = Path(path).parent.name if path else ""
        pid = os.getpid()
        return [_user(), socket.gethostname(), pid, process_started(pid), run, this_machine()]

    return Owner(*asked("process", {}, told))


@dataclass(frozen=True)
class Held:
    """A lock as it lies in the bucket."""

    owner: Owner
    doing: str
    since: str
    lease_seconds: float
    released: bool
    nonce: str
    renewals: int = 0
    etag: str = ""
    age: timedelta = timedelta()
    """since it was renewed, by S3's clock"""

    def free(self) -> str:
        """Why it may be taken; empty while it is held."""
        if self.released:
            return f"the last holder let go: {self.owner.words}"
        if self.age.total_seconds() > self.lease_seconds:
            return f"taken over from {self.owner.words}: not renewed for {self.age.total_seconds():.0f} s"
        if self.owner.gone:
            return f"taken over from {self.owner.words}: that process is gone"
        return ""


@dataclass
class ReleaseLock:
    aws: Aws
    bucket: str
    owner: Owner = field(default_factory=this_process)
    lease_seconds: float = LEASE_SECONDS
    now: Callable[[], datetime] = clock.now
    mine: Held | None = None
    lost: Locked | None = None
    """set once somebody else has taken it"""
    _written: datetime | None = None
    """when S3 took it last, by this machine's clock, which goes on while the machine sleeps"""
    _turn: threading.RLock = field(default_factory=threading.RLock)
    """a renewal at a time: the second would be taken for somebody else's"""
    _beat: threading.Event = field(default_factory=threading.Event)
    _renewer: threading.Thread | None = None

    def take(self, doing: str) -> str:
        """Why it could be taken. Raises Locked with its holder, NotThere without a bucket."""
        if self.mine is not None:
            return "held already"
        self._end_renewing()
        reason = "nobody held it"
        wanted = self._wanted(doing)
        if not self._put(wanted, {"IfNoneMatch": "*"}):
            there = self.look()
            if there is None:
                raise self._locked("somebody was faster")
            reason = there.free()
            if not reason:
                raise self._locked(f"held by {there.owner.words} since {there.since}: {there.doing}")
            if not self._put(wanted, {"IfMatch": there.etag}):
                raise self._locked("somebody was faster")
            if not there.released:
                log.warning("release lock in %s: %s", self.bucket, reason)
        self._keep_up()
        return reason

    def look(self) -> Held | None:
        """Raises AwsError for a lock that can't be read: one of a newer version, or none of ours."""
        try:
            found = self.aws.call("s3", "get_object", Bucket=self.bucket, Key=KEY)
        except NotThere:
            return None
        try:
            told = json.loads(found["Body"].read())
            told["owner"] = Owner(**told["owner"])
            return Held(**told, etag=found["ETag"], age=age(found))
        except (ValueError, KeyError, TypeError) as error:
            raise AwsError(
                f"release lock in {self.bucket}",
                f"it can't be read: {error}",
                f"take a newer golden-blue-green; or, when nobody releases, delete s3://{self.bucket}/{KEY}",
            ) from error

    def renew(self) -> None:
        """Raises Locked when it was taken over meanwhile. One that went with its bucket nobody has taken.

        As long as S3 does not say whose it is, it is held, and the next renewal asks again.
        """
        with self._turn:
            mine = self.mine
            if mine is None or self._renewed(mine):
                return
            there = self.look()
            self.mine = None
            if there is not None:
                self.lost = self._locked("it was taken over: this process had not renewed it in time")
                raise self.lost

    def _renewed(self, mine: Held) -> bool:
        try:
            return self._put(replace(mine, renewals=mine.renewals + 1), {"IfMatch": mine.etag})
        except NotThere:  # the bucket
            return False

    def let_go(self) -> None:
        """Nothing where it is not held, or went with its bucket.

        Raises nothing: how the work under it ended must not be lost, and what is not let go expires.
        """
        self._end_renewing()
        if (mine := self.mine) is not None:
            self.mine = None
            _quietly(lambda: self._put(replace(mine, released=True), {"IfMatch": mine.etag}))

    def require_held(self) -> None:
        """Raises Locked when it was held, and somebody else has it now.

        Asked before each change. After the lease it renews first, and raises what S3 says to that.
        """
        with self._turn:
            if self.lost is None and self._is_stale():
                self.renew()
            if self.lost is not None:
                raise self.lost

    def _is_stale(self) -> bool:
        if self.mine is None or self._written is None:
            return False
        return (self.now() - self._written).total_seconds() > self.lease_seconds

    def _put(self, held: Held, condition: dict[str, str]) -> bool:
        """Whether S3 took it. This is itself a change: meanwhile nobody asks whether it is stale."""
        former, self._written = self._written, None
        began, taken = self.now(), False
        try:
            taken = self._taken(held, condition)
        finally:
            age_then = self.mine.age if self.mine else timedelta()  # of what an earlier try wrote
            self._written = began - age_then if taken else former
        return taken

    def _taken(self, held: Held, condition: dict[str, str]) -> bool:
        body = {key: item for key, item in asdict(held).items() if key not in ("etag", "age")}
        try:
            answer = self.aws.call(
                "s3", "put_object", Bucket=self.bucket, Key=KEY, Body=json.dumps(body).encode(), **condition
            )
        except (AwsError, NotThere) as error:
            if code_of(error) not in FASTER | {GONE}:
                raise
            return self._arrived_after_all(held)
        if not held.released:
            self.mine = replace(held, etag=answer["ETag"], age=timedelta())
        return True

    def _arrived_after_all(self, held: Held) -> bool:
        """An earlier try whose answer was lost may be what stands in the way."""
        there = self.look()
        if there is None or there.nonce != held.nonce or there.released != held.released:
            return False
        self.mine = there if not held.released else None
        return True

    def _wanted(self, doing: str) -> Held:
        since = clock.now().isoformat(timespec="seconds")
        return Held(self.owner, doing, since, self.lease_seconds, released=False, nonce=clock.drawn())

    def _keep_up(self) -> None:
        self._beat = threading.Event()
        self._renewer = threading.Thread(
            target=self._renewing, args=(self._beat,), daemon=True, name="release lock"
        )
        self._renewer.start()
        self.aws.guards.append(self.require_held)
        Finalize(self, self.let_go, exitpriority=AT_END)

    def _renewing(self, beat: threading.Event) -> None:
        while not clock.waited(beat, max(self.lease_seconds / 3, 0.1)):
            _quietly(self.renew)  # AWS out of reach: the next try may find it, or the lease ends
            if self.mine is None:
                return

    def _end_renewing(self) -> None:
        """Also waits for a renewal that is under way: it would write over what comes next."""
        self._beat.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer, self.lost = None, None
            self.aws.guards.remove(self.require_held)

    def _locked(self, what: str) -> Locked:
        return Locked(
            f"release lock in {self.bucket}",
            what,
            f"wait for it; a lock whose holder is gone opens by itself after {self.lease_seconds:.0f} s",
        )


def _quietly(act: Callable[[], Any]) -> None:
    """Where nobody hears an error: what it leaves shows in the lock itself."""
    try:
        act()
    except Exception as error:
        journal.tell("lock", what=str(error) or type(error).__name__)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
