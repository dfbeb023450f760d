"""The one door to AWS: sessions, retries, translated errors, a count of requests, listeners to all of them.

Nothing else imports boto3. A dict from AWS travels no further than the function that asked for it.
"""

from __future__ import annotations

import collections
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ProfileNotFound

from gbg_lib.errors import (
    AccessRefused,
    AwsError,
    Explained,
    GateRefused,
    GbgError,
    NotThere,
    ParameterError,
)
from gbg_lib.exchange import Exchange, Listener, command, reads
from gbg_lib.loopback import exemption
from gbg_lib.parameters import Parameters
from gbg_lib.replay import clock
from gbg_lib.replay.session import ReplayedSession, recorded_session
from gbg_lib.replay.tape import asked, playing
from gbg_lib.retries import AGAIN, ONCE, repeatable, until_heard
from gbg_lib.runner import journal
from gbg_lib.secret import answers as secret_answers
from gbg_lib.secret import no_echo
from gbg_lib.secret.values import learn

SANDBOX_PROFILE = "gbg-sandbox"
SANDBOX_POLL_SECONDS = 0.25
AWS_POLL_SECONDS = 5.0
LEAST_PAUSE = 0.2
"""of the time between two looks, also when looking takes longer"""
MINUTE_SECONDS = 60.0
PLANS = frozenset({"create_change_set", "delete_change_set"})
"""what a plan is made with; it changes nothing that runs"""
STOPS = "stop_"
"""how operations begin that no guard forbids: a release that is bad is stopped also by who lost its lock"""
REFUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "ExpiredToken",
        "ExpiredTokenException",
    }
    | {"AuthFailure", "AuthorizationError", "InvalidAccessKeyId"}
    | {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
MISSING_WORDS = ("NotFound", "NotExist", "DoesNotExist", "NoSuch", "does not exist", "name not found")


class Aws:
    """Calls to AWS under one session.

    `poll_seconds` is how long to wait between two looks at something that changes; `minute_seconds` is how
    many seconds pass here while AWS counts a minute of its own waits (a sandbox hurries them).
    """

    def __init__(
        self,
        session: Any,
        *,
        poll_seconds: float,
        minute_seconds: float = MINUTE_SECONDS,
        explains: bool = False,
        acknowledged: bool = True,
        profile: str = "",
        endpoint_url: str | None = None,
        environment: Mapping[str, str] | None = None,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = clock.pause,
    ) -> None:
        self.session = session
        self._ticks = ticks
        self._sleep = sleep
        self.endpoint_url = endpoint_url
        self.poll_seconds = poll_seconds
        self.minute_seconds = minute_seconds
        self.explains = explains
        """whether a change is told instead of made"""
        self.acknowledged = acknowledged
        """whether changes are wanted; where that is asked for, a plan is to be read first"""
        self.profile = profile
        self.environment = dict(environment or {})
        """what other programs (git) need in their environment to use the same profile"""
        self.requests: collections.Counter[str] = collections.Counter()
        self._made: collections.Counter[int] = collections.Counter()
        self.listeners: list[Listener] = []
        """told of every request when its answer is there"""
        self.guards: list[Callable[[], None]] = []
        """asked before each change; one that raises forbids it"""
        self.changes: list[str] = []
        """commands that would do again what was changed through this door, oldest first; where it only
        explains, what would have been"""
        self._clients: dict[tuple[str, bool], Any] = {}
        self._watching: list[tuple[int, Callable[[], None]]] = []
        self._paused = 0.0

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """One request. Raises AccessRefused, NotThere or AwsError; for a change also what `acts` raises."""
        if not reads(operation):
            learn(*no_echo.values_in(params))
            words = command(service, operation, params)
            if operation in PLANS and not self.explains:
                self.changes.append(words)
            else:
                self.acts(words, guarded=not operation.startswith(STOPS))
        again = repeatable(operation, params)
        request = getattr(self._client(service, again=again), operation)

        def ask() -> Any:
            return request(**params) if again else until_heard(lambda: request(**params), self._sleep)

        return self._asked(service, operation, params, ask) or {}

    def acts(self, command: str, *, guarded: bool = True) -> None:
        """Said before anything is changed, with the command that would do it.

        Raises Explained where changes are only told, GateRefused where nobody acknowledged the plan, and what
        a guard raises.
        """
        if self.explains:
            self.changes.append(command)
            raise Explained("explain", f"nothing was done; it would be: {command}", "-p explain=false")
        if not self.acknowledged:
            raise GateRefused(
                f"account {self.account()}, {self.region}",
                f"the plan is not acknowledged; next would be: {command}",
                "read the plan above, run the cell below it, tick its box, and run this cell again "
                "(headless: -p acknowledged=true)",
            )
        for guard in self.guards if guarded else ():
            guard()
        self.changes.append(command)

    def pages(self, service: str, operation: str, key: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item below `key`, page after page."""
        client = self._client(service)
        if not client.can_paginate(operation):
            yield from self._by_token(service, operation, key, **params)
            return
        pages = iter(client.get_paginator(operation).paginate(**params))
        while (page := self._asked(service, operation, params, lambda: next(pages, None))) is not None:
            yield from page.get(key, [])

    def _by_token(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Where botocore has no paginator, and AWS a token all the same."""
        while True:
            answer = self.call(service, operation, **params)
            yield from answer.get(key, [])
            if not (token := answer.get("NextToken")):
                return
            params["NextToken"] = token

    def _asked(
        self, service: str, operation: str, params: Mapping[str, Any], ask: Callable[[], Any]
    ) -> dict[str, Any] | None:
        """AWS's answer, told to the listeners as an error is; None when there was nothing more to ask for."""
        started, began = datetime.now(UTC), time.monotonic()
        answer: dict[str, Any] | None = None
        said = ""
        try:
            answer = ask()
            learn(*secret_answers.values_in(operation, answer))
        except (ClientError, BotoCoreError) as error:
            said = str(error)
            raise translated(error, f"{service}:{operation}") from error
        finally:
            if said or answer is not None:
                self.requests[service] += 1
                self._made[threading.get_ident()] += 1
                seconds = time.monotonic() - began
                for listener in self.listeners:
                    listener(Exchange(service, operation, params, started, seconds, answer or {}, said))
        return answer

    @property
    def made_here(self) -> int:
        """Requests of this thread: others go on beside it, as a lock's renewals do."""
        return self._made[threading.get_ident()]

    def account(self) -> str:
        return str(self.call("sts", "get_caller_identity")["Account"])

    def keys(self) -> ReadOnlyCredentials:
        """For what is signed elsewhere: git's requests. Raises AccessRefused."""
        found = self.session.get_credentials()
        if found is None:
            raise AccessRefused("keys", "no AWS keys found", "`aws configure`, or set AWS_PROFILE")
        frozen: ReadOnlyCredentials = found.get_frozen_credentials()
        return frozen

    def pause(self) -> None:
        """Between two looks: who watches has it first, what is left of the time is slept."""
        began, thread = self._ticks(), threading.get_ident()
        watching = [watch for owner, watch in self._watching if owner == thread]
        for watch in watching:
            watch()
        took = self._ticks() - (self._paused if watching else began)
        self._sleep(max(self.poll_seconds - took, LEAST_PAUSE * self.poll_seconds))
        self._paused = self._ticks()

    @contextmanager
    def watched(self, watch: Callable[[], None]) -> Iterator[None]:
        """`watch` is called in every pause of this thread; looks are then `poll_seconds` apart in all."""
        entry = (threading.get_ident(), watch)
        self._watching.append(entry)
        self._paused = self._ticks()
        try:
            yield
        finally:
            self._watching.remove(entry)

    def _client(self, service: str, *, again: bool = True) -> Any:
        """`again`: whether it may send a request a second time by itself."""
        if (service, again) not in self._clients:
            session: Any = self.session  # the stubs list every service by name; here it is a variable
            config = AGAIN if again else ONCE
            made = session.client(service, config=config, endpoint_url=self.endpoint_url)
            self._clients[service, again] = made
        return self._clients[service, again]


def open_aws(parameters: Parameters) -> Aws:
    """The only place that asks which cloud it is. Raises AccessRefused when there is no way in.

    A run's journal hears of every request, and the keys in use are masked from now on.
    """
    aws = _replayed(parameters) if playing() else _recorded(parameters)

    def heard(exchange: Exchange) -> None:
        _learn_keys(aws)
        journal.heard(exchange)

    _learn_keys(aws)
    aws.listeners.append(heard)
    return aws


def _recorded(parameters: Parameters) -> Aws:
    """What an `Aws` is made of goes into the run's replies, too: a replay has no profile to read it from."""
    aws = _opened(parameters)
    asked("settings", _settings(parameters), lambda: [aws.region, aws.poll_seconds, aws.minute_seconds])
    aws.session = recorded_session(aws.session)
    return aws


def _replayed(parameters: Parameters) -> Aws:
    """Answers as they were recorded, and nothing else."""
    told: list[Any] = asked("settings", _settings(parameters), list)
    region, poll_seconds, minute_seconds = told
    return Aws(
        ReplayedSession(botocore.session.Session(), str(region)),
        poll_seconds=poll_seconds,
        minute_seconds=minute_seconds,
        explains=parameters.explain,
        acknowledged=parameters.cloud == "sandbox" or parameters.acknowledged,
        profile=parameters.profile,
    )


def _settings(parameters: Parameters) -> dict[str, Any]:
    return {"cloud": parameters.cloud, "region": parameters.region}


def _learn_keys(aws: Aws) -> None:
    """Keys of a role are renewed from time to time."""
    if (found := aws.session.get_credentials()) is not None:
        keys = found.get_frozen_credentials()
        learn(keys.secret_key, keys.token)


def _opened(parameters: Parameters) -> Aws:
    if parameters.cloud == "sandbox":
        return _open_sandbox(explains=parameters.explain)
    try:
        session = boto3.session.Session(
            profile_name=parameters.profile or None, region_name=parameters.region
        )
    except ProfileNotFound as error:
        raise ParameterError(
            "profile", str(error), "`aws configure list-profiles` names those there are"
        ) from error
    return Aws(
        session,
        poll_seconds=AWS_POLL_SECONDS,
        profile=parameters.profile,
        explains=parameters.explain,
        acknowledged=parameters.acknowledged,
    )


def sandbox_files() -> tuple[Path, Path]:
    """The sandbox's AWS config and credentials files, as `gbg up` writes them."""
    home = Path(os.environ.get("GBG_HOME") or Path(__file__).resolve().parent.parent / ".gbg")
    return home / "aws" / "config", home / "aws" / "credentials"


def _open_sandbox(*, explains: bool) -> Aws:
    """Region and address come from the profile alone: variables of the shell would win over it."""
    config, credentials = sandbox_files()
    if not config.exists():
        raise AccessRefused(
            "sandbox", f"it is not up: there is no profile at {config}", "`./gbg up`, then run this again"
        )
    core = botocore.session.Session(profile=SANDBOX_PROFILE)
    core.set_config_variable("config_file", str(config))
    core.set_config_variable("credentials_file", str(credentials))
    told = core.get_scoped_config()
    os.environ |= exemption(os.environ)
    return Aws(
        boto3.session.Session(botocore_session=core, region_name=told["region"]),
        poll_seconds=SANDBOX_POLL_SECONDS,
        explains=explains,
        minute_seconds=float(told.get("gbg_minute_seconds", MINUTE_SECONDS)),
        profile=SANDBOX_PROFILE,
        endpoint_url=told["endpoint_url"],
        environment={
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_DEFAULT_REGION": told["region"],
        },
    )


def translated(error: Exception, where: str) -> GbgError:
    """AWS's error as one of ours, by its code."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in REFUSED:
            return AccessRefused(where, message, "check the keys and rights of the profile in use")
        if any(word in code or word in message for word in MISSING_WORDS):
            return NotThere(where, message, "run the runbook before this one, or check the deployment's name")
        return AwsError(where, f"{code}: {message}", "the AWS documentation of this error code tells more")
    if isinstance(error, EndpointConnectionError):
        return AwsError(where, str(error), "is the sandbox up (`./gbg status`), or the network there?")
    return AwsError(where, str(error), "check the profile's keys, region and network")
