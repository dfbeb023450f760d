"""The door to AWS over services that are Python objects with state.

A fake service has a method an operation. It is asked only what botocore's model allows. An answer with a
`nextToken` is followed by another page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, cast

import boto3
import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError

from gbg_lib.aws import Aws
from tests.unit.shapes import checked


def connected(environment: Mapping[str, str] | None = None, **services: object) -> Aws:
    """`connected(cloudformation=FakeCloudFormation())`: an Aws that never waits."""
    return Aws(fake_session(**services), poll_seconds=0.0, environment=environment)


def fake_session(**services: object) -> boto3.session.Session:
    return cast(boto3.session.Session, FakeSession(services))


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class FakeSession:
    region_name = "us-east-1"

    def get_partition_for_region(self, region: str) -> str:
        return "aws"

    def __init__(self, services: Mapping[str, object]) -> None:
        self._services = services

    def client(self, service: str, **given: object) -> FakeClient:
        return FakeClient(service, self._services[service])


class FakeClient:
    def __init__(self, service: str, fake: object) -> None:
        self._service = service
        self._fake = fake

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            return getattr(self._fake, operation)(**checked(self._service, operation, given))

        return call

    def can_paginate(self, operation: str) -> bool:
        return operation in _paginated(self._service)

    def get_paginator(self, operation: str) -> FakePaginator:
        return FakePaginator(getattr(self, operation))


@cache
def _paginated(service: str) -> frozenset[str]:
    loader = botocore.session.get_session().get_component("data_loader")
    return frozenset(map(xform_name, loader.load_service_model(service, "paginators-1")["pagination"]))


class FakePaginator:
    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def paginate(self, **given: Any) -> Iterator[Any]:
        page = self._call(**given)
        yield page
        while token := page.get("nextToken"):
            page = self._call(**given, nextToken=token)
            yield page
