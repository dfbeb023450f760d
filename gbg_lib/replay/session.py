"""A session whose clients' calls are kept, and one whose clients answer from what was kept.

Each request is a line, also the one whose error was sent again: a throttled change replays with its throttle.
What botocore repeats by itself (reads) is one line with its last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from gbg_lib.replay.coding import back, dumps, read_bodies, reply
from gbg_lib.replay.tape import Playing, Recording, current
from gbg_lib.secret.values import masking

DOOR = "aws"
DATED = ("s3",)
"""services whose own clock counts: they say the time in a header"""


def recorded_session(session: Any) -> Any:
    """The same session; in a run that keeps its replies one that keeps them."""
    return RecordedSession(session) if isinstance(current(), Recording) else session


class RecordedSession:
    def __init__(self, session: Any) -> None:
        self._session = session

    def client(self, service: str, **more: Any) -> Any:
        return RecordedClient(service, self._session.client(service, **more))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class RecordedClient:
    """Keeps what each operation answered."""

    def __init__(self, service: str, client: Any) -> None:
        self._service = service
        self._client = client

    def can_paginate(self, operation: str) -> bool:
        return bool(self._client.can_paginate(operation))

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(lambda **params: self._pages(operation, params))

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        request = getattr(self._client, operation)
        return lambda **params: self._kept(
            {"service": self._service, "operation": operation, "params": params}, lambda: request(**params)
        )

    def _pages(self, operation: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        pages = iter(self._client.get_paginator(operation).paginate(**params))
        asked = {"service": self._service, "operation": operation, "params": params}
        number = 1
        while (page := self._kept({**asked, "page": number}, lambda: next(pages, None))) is not None:
            yield page
            number += 1

    def _kept(self, asked: dict[str, Any], request: Callable[[], Any]) -> Any:
        tape = current()
        assert isinstance(tape, Recording)
        try:
            answer = request()
        except (ClientError, BotoCoreError) as error:
            tape.keep(DOOR, asked, error=_told(error))
            raise
        if answer is None:
            tape.keep(DOOR, asked, reply=None)
            return None
        given, kept = read_bodies(answer)
        headers = kept.pop("ResponseMetadata", {}).get("HTTPHeaders", {})
        dated = {"date": headers["date"]} if self._service in DATED and "date" in headers else {}
        tape.keep(DOOR, asked, reply=kept, **dated)
        return given


class ReplayedSession:
    """Has no keys, and asks nobody."""

    def __init__(self, core: Any, region: str) -> None:
        self._core = core
        """what botocore knows without asking: partitions"""
        self.region_name = region

    def client(self, service: str, **_: Any) -> Any:
        return ReplayedClient(service)

    def get_credentials(self) -> Any:
        return _NoKeys()

    def get_partition_for_region(self, region: str) -> str:
        return str(self._core.get_partition_for_region(region))


class _NoKeys:
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("", "", None)


class ReplayedClient:
    def __init__(self, service: str) -> None:
        self._service = service

    def can_paginate(self, operation: str) -> bool:
        """As it was when it was recorded: then the next answer is a page."""
        tape = current()
        assert isinstance(tape, Playing)
        return tape.page_is_next()

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(lambda **params: self._pages(operation, params))

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        asked = {"service": self._service, "operation": operation}
        return lambda **params: self._answer({**asked, "params": params})

    def _pages(self, operation: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        asked = {"service": self._service, "operation": operation, "params": params}
        number = 1
        while (page := self._answer({**asked, "page": number})) is not None:
            yield page
            number += 1

    def _answer(self, asked: dict[str, Any]) -> Any:
        tape = current()
        assert isinstance(tape, Playing)
        line = tape.take(DOOR, asked)
        if "error" in line:
            raise _error(line["error"])
        answer = back(line["reply"])
        if isinstance(answer, dict):
            answer["ResponseMetadata"] = {"HTTPHeaders": {"date": line["date"]} if "date" in line else {}}
        return answer


class _Paginator:
    def __init__(self, pages: Callable[..., Iterator[dict[str, Any]]]) -> None:
        self.paginate = pages


def _told(error: ClientError | BotoCoreError) -> dict[str, Any]:
    if isinstance(error, ClientError):
        response = {key: value for key, value in error.response.items() if key != "ResponseMetadata"}
        told = {"kind": "ClientError", "operation": error.operation_name, "response": response}
    else:
        words = {key: str(value) for key, value in error.kwargs.items()}
        told = {"kind": type(error).__name__, "words": words}
    return dict(reply(told, masking()))


def _error(told: dict[str, Any]) -> ClientError | BotoCoreError:
    if told["kind"] == "ClientError":
        return ClientError(told["response"], told["operation"])
    kind = getattr(botocore.exceptions, told["kind"], BotoCoreError)
    try:
        return kind(**told["words"])
    except (KeyError, TypeError):
        made = BotoCoreError()
        made.args = (dumps(told),)
        return made
