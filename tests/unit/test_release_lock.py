"""One holder at a time; who is gone loses the lock, and it is said why."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gbg_lib.errors import AccessRefused, AwsError, Locked, NotThere
from gbg_lib.parameters import Parameters
from gbg_lib.release_lock import KEY, ReleaseLock, this_process
from gbg_lib.steps import ReleaseRun
from tests.unit.aws_fakes import connected
from tests.unit.bucket_fakes import FakeBucket
from tests.unit.serving_fakes import FakeServing
from tests.unit.site import serving

LEASE_SECONDS = 3600.0
"""no renewal in the background while a test runs"""
GO_ON = {"deploymentId": "d-NEW", "deploymentWaitType": "READY_WAIT"}


@pytest.fixture
def bucket() -> FakeBucket:
    return FakeBucket()


@pytest.fixture
def locks(bucket: FakeBucket) -> Iterator[list[ReleaseLock]]:
    """Two operators on two other machines."""
    owners = [replace(this_process(), user=name, host=f"{name}s-laptop") for name in ("ada", "bob")]
    made = [ReleaseLock(connected(s3=bucket), "artifacts", owner, LEASE_SECONDS) for owner in owners]
    yield made
    for lock in made:
        lock.let_go()


def deployed_by(lock: ReleaseLock, bucket: FakeBucket) -> FakeServing:
    """A deployment that the lock's holder may change, whose clock is the bucket's."""
    fleet = FakeServing()
    fleet.deploying(moved=True)
    lock.aws, lock.now = connected(s3=bucket, codedeploy=fleet), lambda: bucket.now
    return fleet


def test_the_first_gets_it_and_the_second_is_told_who_has_it(locks: list[ReleaseLock]) -> None:
    ada, bob = locks
    assert ada.take("a release of commit 1") == "nobody held it"
    assert ada.take("once more") == "held already"
    with pytest.raises(Locked, match=r"held by ada@adas-laptop, process \d+ since .*: a release of commit 1"):
        bob.take("a release of commit 2")
    assert bob.mine is None


def test_who_let_go_is_followed_by_the_next(locks: list[ReleaseLock], bucket: FakeBucket) -> None:
    ada, bob = locks
    ada.take("a release")
    ada.let_go()
    assert bob.take("another").startswith("the last holder let go: ada@adas-laptop")
    assert json.loads(bucket.objects[KEY][0])["owner"]["user"] == "bob"


def test_a_lock_that_was_not_renewed_in_time_is_taken_over_and_its_holder_learns_it(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    ada, bob = locks
    ada.take("a release")
    bucket.pass_seconds(LEASE_SECONDS - 1)
    ada.renew()
    bucket.pass_seconds(LEASE_SECONDS - 1)
    with pytest.raises(Locked):
        bob.take("too early: it was renewed")
    bucket.pass_seconds(2)
    assert bob.take("another").startswith("taken over from ada@adas-laptop")
    with pytest.raises(Locked, match="it was taken over"):
        ada.renew()
    ada.let_go()
    held = bob.look()
    assert held is not None and held.owner.user == "bob" and not held.released


def test_a_holder_of_this_machine_whose_process_is_gone_is_followed_at_once(
    bucket: FakeBucket, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said where the work is, whoever drops what `take` returns."""
    gone = replace(this_process(), pid_started="another process had this id")
    ReleaseLock(connected(s3=bucket), "artifacts", gone, LEASE_SECONDS).take("a release")
    mine = ReleaseLock(connected(s3=bucket), "artifacts", lease_seconds=LEASE_SECONDS)
    reason = mine.take("another")
    assert reason.startswith("taken over from") and reason.endswith("that process is gone")
    assert caplog.messages == [f"release lock in artifacts: {reason}"]
    mine.let_go()
    assert mine.take("once more").startswith("the last holder let go")
    assert len(caplog.messages) == 1
    mine.let_go()


def test_a_stale_lock_that_is_renewed_while_another_looks_at_it_stays_its_holders(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    """As by a laptop that wakes up."""
    ada, bob = locks
    ada.take("a release")
    bucket.pass_seconds(LEASE_SECONDS + 1)

    def first_look() -> None:
        bucket.after_read = ada.renew

    bucket.after_read = first_look
    with pytest.raises(Locked, match="somebody was faster"):
        bob.take("another")
    ada.renew()
    held = bob.look()
    assert held is not None and (held.owner.user, held.renewals) == ("ada", 2)


def test_letting_go_waits_for_a_renewal_that_is_under_way(bucket: FakeBucket) -> None:
    lock, others = ReleaseLock(connected(s3=bucket), "artifacts", lease_seconds=0.3), threading.enumerate()
    lock.take("a release")
    [renewer] = [thread for thread in threading.enumerate() if thread not in others]
    under_way, answered = threading.Event(), threading.Event()

    def answer_late() -> None:
        if threading.current_thread() is not threading.main_thread():
            under_way.set()
            answered.wait(30)

    bucket.before_answer = answer_late
    assert under_way.wait(30)
    threading.Timer(0.1, answered.set).start()
    lock.let_go()
    renewer.join(30)
    held = lock.look()
    assert held is not None and held.released
    assert lock.mine is None, "or the next release would believe that it holds it"


def test_a_lock_that_went_with_its_bucket_stands_in_nobodys_way(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    """As in the middle of a teardown, when a renewal comes between the bucket's objects and the bucket."""
    ada, _ = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a teardown")
    del bucket.objects[KEY]
    ada.renew()
    assert ada.mine is None
    ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert fleet.changes == 1
    ada.let_go()
    assert KEY not in bucket.objects


def test_a_teardown_goes_on_long_after_the_bucket_is_gone(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    """A stack takes minutes to go, its bucket a moment: no renewal may come between objects and bucket."""
    ada, _ = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a teardown")
    bucket.there = False
    bucket.pass_seconds(LEASE_SECONDS + 1)
    ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert (fleet.changes, ada.mine, ada.lost) == (1, None, None)


def test_a_lock_that_s3_does_not_tell_of_is_asked_for_again(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    ada, bob = locks
    ada.take("a repair")
    bucket.pass_seconds(LEASE_SECONDS + 1)
    bob.take("another")

    def second_look_fails() -> None:
        bucket.unreadable = True

    bucket.after_read = second_look_fails
    with pytest.raises(AwsError, match="SlowDown"):
        ada.renew()
    bucket.unreadable = False
    with pytest.raises(Locked, match="it was taken over"):
        ada.renew()


def test_an_earlier_write_whose_answer_was_lost_is_as_old_as_it_is(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    ada, bob = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a repair")
    bucket.lose_answer = bucket.unreadable = True
    with pytest.raises(AwsError, match="SlowDown"):
        ada.renew()
    bucket.unreadable = False
    bucket.pass_seconds(LEASE_SECONDS / 2)
    ada.renew()
    bucket.pass_seconds(LEASE_SECONDS / 2 + 1)
    bob.take("another")
    with pytest.raises(Locked, match="it was taken over"):
        ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert fleet.changes == 0


def test_who_has_lost_it_changes_nothing_more_and_may_still_stop_a_release(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    ada, bob = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a repair")
    bucket.pass_seconds(LEASE_SECONDS + 1)
    bob.take("another")
    with pytest.raises(Locked):
        ada.renew()
    with pytest.raises(Locked, match="it was taken over"):
        ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert fleet.changes == 0
    ada.aws.call("codedeploy", "stop_deployment", deploymentId="d-NEW", autoRollbackEnabled=True)
    ada.let_go()
    ada.aws.acts("what has nothing to do with it")
    assert fleet.stopped == ["d-NEW"]


def test_who_slept_longer_than_the_lease_asks_before_the_next_change(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    """A laptop that wakes up: no renewal has told yet that the lock was taken over meanwhile."""
    ada, bob = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a repair")
    bucket.pass_seconds(LEASE_SECONDS + 1)
    bob.take("another")
    with pytest.raises(Locked, match="it was taken over"):
        ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert fleet.changes == 0


def test_who_slept_longer_than_the_lease_and_still_has_it_goes_on(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    ada, bob = locks
    fleet = deployed_by(ada, bucket)
    ada.take("a repair")
    bucket.pass_seconds(LEASE_SECONDS + 1)
    bucket.forbidden = True
    for _ in range(2):
        with pytest.raises(AccessRefused):
            ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    assert fleet.changes == 0, "nobody knows whether it is held"
    bucket.forbidden = False
    ada.aws.call("codedeploy", "continue_deployment", **GO_ON)
    held = bob.look()
    assert held is not None and (fleet.changes, held.renewals) == (1, 1)


def test_an_odd_answer_does_not_end_the_renewing(bucket: FakeBucket) -> None:
    lock = ReleaseLock(connected(s3=bucket), "artifacts", lease_seconds=0.3)
    lock.take("a release")
    bucket.objects[KEY] = (b"{", bucket.now)
    for _ in range(600):
        if bucket.reads >= 2:
            break
        threading.Event().wait(0.05)
    lock.mine = None
    assert bucket.reads >= 2


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"owner": {"name": "a newer field"}}'])
def test_a_lock_that_cant_be_read_is_nobodys_to_take(
    locks: list[ReleaseLock], bucket: FakeBucket, content: bytes
) -> None:
    bucket.objects[KEY] = (content, bucket.now)
    with pytest.raises(AwsError, match="it can't be read"):
        locks[0].take("a release")
    assert bucket.objects[KEY][0] == content


def test_a_process_of_another_machine_with_the_same_name_is_not_taken_for_gone(bucket: FakeBucket) -> None:
    """As containers of one image have it."""
    owner = replace(this_process(), pid_started="not that of the process here", machine="another container")
    theirs = ReleaseLock(connected(s3=bucket), "artifacts", owner, LEASE_SECONDS)
    theirs.take("a release")
    with pytest.raises(Locked, match="held by"):
        ReleaseLock(connected(s3=bucket), "artifacts", lease_seconds=LEASE_SECONDS).take("another")
    theirs.let_go()


def test_a_lock_whose_answer_was_lost_is_ones_own(locks: list[ReleaseLock], bucket: FakeBucket) -> None:
    bucket.lose_answer = True
    assert locks[0].take("a release") == "nobody held it"
    locks[0].renew()


def test_what_s3_says_when_it_is_let_go_hides_no_end_of_a_release(
    locks: list[ReleaseLock], bucket: FakeBucket
) -> None:
    locks[0].take("a release")
    bucket.forbidden = True
    locks[0].let_go()
    bucket.forbidden = False
    held = locks[0].look()
    assert locks[0].mine is None and held is not None and not held.released


def test_a_release_that_could_not_be_started_holds_no_lock() -> None:
    cloud = FakeServing()
    with serving(cloud.pages) as site:
        cloud.base["SiteUrl"] = site
        cloud.start_error = "ConcurrentPipelineExecutionsLimitExceededException"
        run = ReleaseRun(Parameters(gate_minutes=0), cloud.connect())
        with pytest.raises(AwsError, match="ConcurrentPipeline"):
            run.begin("a release")
        held = run.lock.look()
        assert run.lock.mine is None and held is not None and held.released


def test_without_a_bucket_there_is_no_lock(locks: list[ReleaseLock], bucket: FakeBucket) -> None:
    bucket.there = False
    with pytest.raises(NotThere):
        locks[0].take("a release")
