"""A change that may have happened is not sent again; what surely did not happen is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from gbg_lib.retries import ATTEMPTS, WITH_TOKEN, repeatable, until_heard
from tests.unit.aws_fakes import refusal

TOKENED_BY = {"start_pipeline_execution": "codepipeline"}


class Service:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def without_sleep() -> tuple[list[float], Callable[[float], None]]:
    slept: list[float] = []
    return slept, slept.append


@pytest.mark.parametrize(
    "failure",
    [refusal("Throttling", "slowly"), EndpointConnectionError(endpoint_url="http://127.0.0.1:1")],
)
def test_what_surely_did_not_happen_is_sent_again(failure: Exception) -> None:
    service = Service(failure, failure)
    slept, sleep = without_sleep()
    assert until_heard(service.ask, sleep) == "done"
    assert (service.asked, len(slept)) == (3, 2)


@pytest.mark.parametrize(
    "failure",
    [refusal("InternalFailure", "perhaps"), ConnectionClosedError(endpoint_url="http://127.0.0.1:1")],
)
def test_what_may_have_happened_is_sent_once(failure: Exception) -> None:
    service = Service(failure)
    with pytest.raises((ClientError, ConnectionClosedError)):
        until_heard(service.ask, lambda _: None)
    assert service.asked == 1


def test_asking_ends() -> None:
    service = Service(*[refusal("Throttling", "slowly")] * (ATTEMPTS + 5))
    with pytest.raises(ClientError):
        until_heard(service.ask, lambda _: None)
    assert service.asked == ATTEMPTS


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        ("describe_stacks", True),
        ("delete_change_set", True),
        ("start_pipeline_execution", True),
        ("execute_change_set", False),
        ("put_object", False),
        ("publish", False),
        ("start_automation_execution", False),
    ],
)
def test_reads_and_what_is_the_same_twice_are_repeatable(operation: str, again: bool) -> None:
    assert repeatable(operation) == again


@pytest.mark.parametrize("operation", sorted(WITH_TOKEN))
def test_botocore_gives_a_token_to_those_that_are_repeated_for_it(operation: str) -> None:
    service = TOKENED_BY.get(operation, "ec2")
    session: Any = botocore.session.get_session()
    model = session.get_service_model(service)
    [name] = [one for one in model.operation_names if botocore.xform_name(one) == operation]
    assert model.operation_model(name).idempotent_members
