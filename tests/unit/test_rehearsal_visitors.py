"""Visitors of a rehearsal: when they come, how many, and where to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep

import pytest

from gbg_lib.errors import MisuseError
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import Evidence
from gbg_lib.record.reading import EXAMPLES, SUCCEEDED
from gbg_lib.rehearsal.timetable import REQUESTS, START, SWITCH, Stretch, timetable, visited
from gbg_lib.rehearsal.visitors import MOST_PER_SECOND, Visitors
from tests.ports import nobody
from tests.unit.clocks import Clock

HERE = "http://localhost:8080/"
LIMIT_SECONDS = 60


def example() -> Archive:
    return open_archive(EXAMPLES / SUCCEEDED)


def stretches(**visits: tuple[float, ...]) -> dict[str, Stretch]:
    return {name: Stretch(name, told) for name, told in visits.items()}


def test_a_records_counts_hang_on_its_stages_and_on_the_change_of_traffic() -> None:
    found = timetable(example(), fine=True)
    assert list(found) == [START, "Source", "BuildGoldenAMI", "Build", "Deploy", SWITCH]
    traffic = next(
        one for one in example().of("traffic") if (one.data["metric"], one.data["period"]) == (REQUESTS, 1)
    )
    begun = {one.data["stageName"]: one.at for one in example().of("action")}["Deploy"]
    assert traffic.at is not None and begun is not None
    counted = dict(zip(traffic.data["seconds"], traffic.data["values"], strict=True))
    first = round((begun.replace(microsecond=0) - traffic.at.replace(microsecond=0)).total_seconds())
    assert found["Deploy"].visits[1:4] == tuple(counted[first + number] for number in (1, 2, 3))


def test_where_only_minutes_are_known_they_are_spread_over_their_seconds() -> None:
    coarse = timetable(example(), fine=False)
    whole = sum(sum(one.visits) for one in coarse.values())
    assert 0 < whole <= visited(example())[0]
    assert {round(value, 3) for value in coarse["Deploy"].visits} != {0.0}
    assert len(set(coarse["Deploy"].visits)) <= 2


def test_nobody_comes_to_a_release_that_nobody_came_to() -> None:
    archive = example()
    quiet = [one for one in archive.evidence if one.data.get("metric") != REQUESTS]
    assert timetable(told(quiet), fine=True) == {}


def test_numbers_that_no_load_balancer_counts_are_not_believed() -> None:
    def odd(one: Evidence) -> Evidence:
        if one.data.get("metric") != REQUESTS:
            return one
        end = one.at + timedelta(days=3650) if one.at else None
        return replace(one, data={**one.data, "values": [-5.0 for _ in one.data["values"]]}, until=end)

    assert timetable(told([odd(one) for one in example().evidence]), fine=True) == {}


def told(evidence: list[Evidence]) -> Archive:
    archive = Archive(example().members)
    archive.__dict__["evidence"] = tuple(evidence)
    return archive


def test_a_stretch_that_lasts_longer_than_it_was_recorded_begins_again() -> None:
    stretch = Stretch("Deploy", (4.0, 0.0, 2.0))
    assert [stretch.until(seconds) for seconds in (0, 0.5, 1, 2, 3, 3.5, 6)] == [0, 2, 4, 4, 6, 8, 12]


def test_they_come_as_they_came_after_the_moment_that_was_reached() -> None:
    clock = Clock()
    visitors = Visitors(HERE, stretches(start=(2.0,), Deploy=(0.0,), switch=(10.0,)), 1.0, clock)
    clock.now += 3
    assert visitors.due() == 6
    visitors.reached("Deploy")
    clock.now += 5
    assert visitors.due() == 0
    visitors.reached("switch")
    clock.now += 1.5
    assert visitors.due() == 15
    visitors.reached("Deploy")
    clock.now += 1
    assert visitors.due() == 10, "a moment that is over does not come back"


def test_a_moment_that_the_record_has_not_changes_nothing() -> None:
    clock = Clock()
    visitors = Visitors(HERE, stretches(start=(2.0,)), 1.0, clock)
    visitors.reached(SWITCH)
    clock.now += 1
    assert visitors.due() == 2


def test_a_minute_of_aws_is_a_minute_of_the_sandbox() -> None:
    """So that an alarm that counts by the minute counts what it counted."""
    clock = Clock()
    visitors = Visitors(HERE, stretches(start=(0.5,)), 60.0, clock)
    clock.now += 1
    assert visitors.due() == 30


@pytest.mark.parametrize(
    "site", ["http://example.com/", "http://10.0.0.7/", "https://localhost/", "http://localhost.example/", ""]
)
def test_they_go_nowhere_but_to_this_machine(site: str) -> None:
    with pytest.raises(MisuseError, match="is not on this machine"):
        Visitors(site, {}, 1.0)


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500 if self.path != "/" else 200)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Says nothing."""


@contextmanager
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_they_ask_for_the_front_page_and_a_crowd_is_cut_to_what_this_machine_bears() -> None:
    with site() as address:
        began = monotonic()
        with Visitors(address, stretches(start=(10_000.0,)), 1.0) as visitors:
            while not visitors.left_out or sum(visitors.answers.values()) < 5:
                assert monotonic() - began < LIMIT_SECONDS
                sleep(0.02)
        came, seconds = sum(visitors.answers.values()), monotonic() - began
    assert set(visitors.answers) == {200}
    assert came <= MOST_PER_SECOND * (seconds + 1)


def test_where_nobody_answers_they_are_counted_and_leave() -> None:
    began = monotonic()
    with nobody() as port, Visitors(f"http://localhost:{port}/", stretches(start=(50.0,)), 1.0) as visitors:
        while not visitors.answers:
            assert monotonic() - began < LIMIT_SECONDS
            sleep(0.02)
    assert set(visitors.answers) == {0}
