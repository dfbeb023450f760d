"""Two runs of a notebook are alike when the same things stand in the same places, whatever their ids are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebooks.identities import Identities

SOURCE, GOLDEN = "ami-0e93a288ce76957d1", "ami-0123456789abcdef0"
OTHER_SOURCE, OTHER_GOLDEN = "ami-11111111111111111", "ami-22222222222222222"
ONE, TWO = "i-88344d02c93d0bd87", "i-0f3f40f98155217ea"
OLD, NEW = "5f2c9e4d1b7a8c3e6f0d2b4a9c8e7f6d5a4b3c2d", "ce5e41b89473537b134e89c952b039e274859fff"


def numbered(*texts: str) -> list[str]:
    run = Identities()
    return [run.in_text(text) for text in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            (f"{SOURCE} becomes {GOLDEN}", f"serves {GOLDEN}"),
            (f"{OTHER_SOURCE} becomes {OTHER_GOLDEN}", f"serves {OTHER_GOLDEN}"),
        ),
        ((f"{ONE} {TWO}", f"{TWO} {ONE}"), (f"{TWO} {ONE}", f"{TWO} {ONE}")),
        ((f"pushed {OLD}", f"main is at {OLD[:8]}"), (f"pushed {NEW}", f"main is at {NEW[:8]}")),
        ((f"Back to the files of {OLD[:8]}",), (f"Back to the files of {NEW[:8]}",)),
    ],
)
def test_other_ids_of_the_same_things_are_alike(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert one != other
    assert numbered(*one) == numbered(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            (f"{SOURCE} becomes {GOLDEN}", f"serves {GOLDEN}"),
            (f"{SOURCE} becomes {GOLDEN}", f"serves {SOURCE}"),
        ),
        ((f"{ONE} and {TWO}",), (f"{ONE} and {ONE}",)),
        ((f"{OLD} then {NEW}", f"commit {NEW[:8]}"), (f"{OLD} then {NEW}", f"commit {OLD[:8]}")),
        ((ONE,), (SOURCE,)),
        (("",), (ONE,)),
        ((f"main is at {OLD[:8]}",), (f"trunk is at {OLD[:8]}",)),
    ],
)
def test_another_thing_in_a_place_is_a_difference(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert numbered(*one) != numbered(*other)


def test_all_texts_of_an_output_are_numbered_and_nothing_else() -> None:
    output: dict[str, Any] = {
        "data": {"text/plain": SOURCE, "text/html": f"<b>{SOURCE}</b>", "image/png": SOURCE}
    }
    stream: dict[str, Any] = {"name": "stdout", "text": f"{GOLDEN}\n"}
    run = Identities()
    run.in_output(output)
    run.in_output(stream)
    assert output["data"] == {"text/plain": "IMAGE-1", "text/html": "<b>IMAGE-1</b>", "image/png": SOURCE}
    assert stream == {"name": "stdout", "text": "IMAGE-2\n"}
