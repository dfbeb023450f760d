"""What all operations of CodeDeploy share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Service
from gbg_sandbox.services.codedeploy.configs import predefined
from gbg_sandbox.services.codedeploy.engine import Engine
from gbg_sandbox.services.codedeploy.state import Registry

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PAGE = 100


class CodeDeployBase(Service):
    name = "codedeploy"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.registry = Registry()
        self.registry.configs.update(predefined())
        self.engine = Engine(cloud, self.registry)
        self.commands = self.engine.commands


def page(found: Sequence[Any], params: dict[str, Any]) -> tuple[list[Any], dict[str, str]]:
    """One page of results, and the token of the next."""
    token = params.get("nextToken") or "0"
    if not token.isdigit() or int(token) > len(found):
        raise AwsError("InvalidNextTokenException", "The next token was specified in an invalid format.")
    begin = int(token)
    more = {"nextToken": str(begin + PAGE)} if begin + PAGE < len(found) else {}
    return list(found[begin : begin + PAGE]), more
