"""What the sandbox promises to its engines."""

from __future__ import annotations

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import eventually


def test_a_round_that_fails_is_told_once_and_does_not_end_the_next_ones(cloud: Cloud) -> None:
    rounds: list[int] = []

    def go_round() -> None:
        cloud.clock.pause(0.01)
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise ValueError("the first one")

    cloud.keep("counting", go_round)
    eventually(lambda: len(rounds) > 3)
    failures = [event.detail for event in cloud.events.since(0) if event.detail_type == "Engine Failure"]
    assert failures == [{"job": "counting", "error": "ValueError('the first one')"}]


def test_what_fails_in_every_round_keeps_nothing_else_from_its_turn(cloud: Cloud) -> None:
    done: list[str] = []

    def act(item: str) -> None:
        if item == "broken" or (item == "later" and len(done) > 2):
            raise ValueError("the same words")
        done.append(item)

    def go_round() -> None:
        cloud.each("an item", {one: one for one in ("broken", "later", "behind it")}, act)
        cloud.clock.pause(0.01)

    cloud.keep("items", go_round)
    eventually(lambda: done[-3:] == ["behind it"] * 3)
    failures = [event.detail for event in cloud.events.since(0) if event.detail_type == "Engine Failure"]
    said = "ValueError('the same words')"
    assert failures == [{"job": f"an item {one}", "error": said} for one in ("broken", "later")]
