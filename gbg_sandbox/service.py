"""What every service of the sandbox is made of.

A service is a folder `services/<botocore name>/` with the same few files:

- `api.py`     the operations, one method each; `SERVICE` names the class
- `state.py`   what it remembers: dataclasses and their look-ups
- `engine.py`  what really runs, under the role that AWS would use
- `service-2.json` only where botocore has no model (the agents' private services)

An operation is a method named as in boto3 and marked `@runs`, `@modelled` or `@stored`; the marks make
the honesty table in docs/sandbox.md. What is not there is refused by name at the gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from botocore import xform_name
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from werkzeug import Request, Response

    from gbg_sandbox.cloud import Cloud


class Coverage(StrEnum):
    """How much of an operation is real."""

    RUNS = "runs"
    """its effect really happens on this machine"""
    MODELLED = "modelled"
    """state moves through AWS's states by AWS's rules, nothing outside the model is touched"""
    STORED = "stored"
    """kept and given back, with no effect"""


class AwsError(Exception):
    """An error that goes to the caller in AWS's own form."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields

    @classmethod
    def of(cls, error: ClientError) -> AwsError:
        """What moto, or another service, said no with: the caller gets it as its own."""
        told = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return cls(told["Code"], told.get("Message", ""), status)


@dataclass(frozen=True)
class Principal:
    """Who signed a request.

    `kind` "aws" is AWS itself (a service's own doings, not subject to IAM).
    """

    kind: str
    """root | user | role | aws"""
    arn: str
    account: str
    role_name: str = ""
    user_name: str = ""
    session_name: str = ""
    session_policy: str = ""
    """the inline policy that narrows this session"""
    session_policy_arns: tuple[str, ...] = ()
    """the managed policies that do"""
    service: str = ""
    """the AWS service that acts through this role session (`codepipeline.amazonaws.com`), or empty"""
    instance_id: str = ""
    """set when the credentials came from an instance's metadata service"""

    @property
    def may_tag_as_aws(self) -> bool:
        """Tag keys that begin with `aws:` are for AWS itself and for CloudFormation on someone's behalf."""
        return self.kind == "aws" or self.service == "cloudformation.amazonaws.com"


@dataclass(frozen=True)
class Call:
    """One request on its way to an operation."""

    request_id: str
    principal: Principal
    region: str
    request: Request | None = None


Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]
M = TypeVar("M", bound=Callable[..., Any])


def _mark(coverage: Coverage) -> Callable[[M], M]:
    def mark(method: M) -> M:
        method.__dict__["coverage"] = coverage
        return method

    return mark


runs = _mark(Coverage.RUNS)
modelled = _mark(Coverage.MODELLED)
stored = _mark(Coverage.STORED)

RouteHandler = Callable[["Request"], "Response"]


@dataclass(frozen=True)
class Route:
    """Plain HTTP that is not an AWS API: git, download buckets. `host` and `path` are full-match patterns."""

    host: str
    path: str
    handler: RouteHandler


class Service:
    """One AWS service. Subclasses set `name` and add operations."""

    name: ClassVar[str]
    forwards: ClassVar[frozenset[str]] = frozenset()
    """operations (`DescribeVpcs`) that moto answers as they are: told as `stored`"""
    enforced: ClassVar[frozenset[str]] = frozenset()
    """those of `forwards` whose effect is had at once, as IAM's policies have it: told as `runs`"""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def start(self) -> None:
        """Called once when all services exist: subscribe to events, start engines."""

    def stop(self) -> None:
        """Called once at the end: leave no thread, process or socket."""

    def routes(self) -> Sequence[Route]:
        return ()

    def _stored(self, operation: str, /, **params: Any) -> dict[str, Any]:
        """What moto keeps of this service, by an operation's boto3 name. Raises AwsError."""
        return self.cloud.ask_stored(self.name, operation, **params)

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        """ARN → tags of what it keeps itself and the tagging API tells; what moto keeps, moto tells."""
        return {}

    @classmethod
    def coverage(cls) -> dict[str, Coverage]:
        """boto3 method name → how real it is."""
        found = {
            xform_name(operation): Coverage.RUNS if operation in cls.enforced else Coverage.STORED
            for operation in cls.forwards
        }
        for attribute in dir(cls):
            mark = getattr(getattr(cls, attribute), "coverage", None)
            if isinstance(mark, Coverage):
                found[attribute] = mark
        return found

    def handler(self, operation: str) -> Handler | None:
        """The own handler of an operation (`CreateDeployment`), or None."""
        method = getattr(self, xform_name(operation), None)
        if method is None or not isinstance(getattr(method, "coverage", None), Coverage):
            return None
        handler: Handler = method
        return handler
