"""The lock on the sandbox's S3, which writes on a condition as AWS's does: one of many gets it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gbg_lib.errors import Locked
from gbg_lib.release_lock import ReleaseLock, this_process
from gbg_sandbox.cloud import Cloud
from tests.sandbox.doors import door

BUCKET = "gbg-artifacts"
MANY = 8
LONG, STALE_AT_ONCE = 3600.0, -1.0
"""seconds"""


def lock(cloud: Cloud, machine: str, lease_seconds: float = LONG) -> ReleaseLock:
    return ReleaseLock(door(cloud), BUCKET, replace(this_process(), host=machine), lease_seconds)


def wanted_by_many(cloud: Cloud) -> list[ReleaseLock]:
    """Those that got the lock when all ask at the same time."""

    def take(number: int) -> ReleaseLock | None:
        wanted = lock(cloud, f"machine-{number}")
        try:
            wanted.take(f"release {number}")
        except Locked:
            return None
        return wanted

    with ThreadPoolExecutor(MANY) as pool:
        return [taken for taken in pool.map(take, range(MANY)) if taken is not None]


def test_of_many_that_want_it_one_gets_it(cloud: Cloud) -> None:
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    [first] = wanted_by_many(cloud)
    assert wanted_by_many(cloud) == []
    first.let_go()
    [second] = wanted_by_many(cloud)
    second.renew()
    second.let_go()


def test_of_many_that_find_it_stale_one_takes_it_over(cloud: Cloud) -> None:
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    dead = lock(cloud, "a machine that died", STALE_AT_ONCE)
    dead.take("a release")
    dead.mine = None  # it renews nothing any more
    [heir] = wanted_by_many(cloud)
    held = heir.look()
    assert held is not None and held.owner == heir.owner
    heir.let_go()
