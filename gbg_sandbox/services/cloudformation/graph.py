"""Work on many resources at once, each after those it depends on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

PARALLEL = 16

K = TypeVar("K", bound=Hashable)


def run_in_order(
    needs: Mapping[K, Collection[K]],
    work: Callable[[K], bool],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[set[K], set[K]]:
    """Do `work` on every key after all its needs; returns what succeeded and what failed.

    What depends on a failed key is never begun, and once `stop()` holds nothing more is. An exception out of
    `work` ends everything and is raised here, after what was begun has ended.
    """
    waiting = {key: {need for need in wanted if need in needs} for key, wanted in needs.items()}
    done: set[K] = set()
    failed: set[K] = set()
    running: dict[Future[bool], K] = {}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="cloudformation") as pool:
        while True:
            ready = [key for key, left in waiting.items() if left <= done] if not stop() else []
            for key in ready:
                del waiting[key]
                running[pool.submit(work, key)] = key
            if not running:
                return done, failed
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                (done if future.result() else failed).add(running.pop(future))
