"""Health checks: one request as an Application Load Balancer sends it, and what its results make of a target.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from gbg_sandbox.services.elbv2.state import Target

AGENT = "ELB-HealthChecker/2.0"
MATCHER = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")

Connect = Callable[[str, int, float], socket.socket]
"""address, port, real seconds → a connection. Raises OSError."""


@dataclass(frozen=True)
class Result:
    """What one check found. `reason` is empty when it passed."""

    reason: str = ""
    description: str = ""

    @property
    def passed(self) -> bool:
        return not self.reason


def accepts(matcher: str, code: int) -> bool:
    """Whether a matcher such as `200,301-303` takes this status."""
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


def check(connect: Connect, address: str, port: int, path: str, matcher: str, real_seconds: float) -> Result:
    """Ask a target once."""
    connection = http.client.HTTPConnection(address, port, timeout=real_seconds)
    try:
        connection.sock = connect(address, port, real_seconds)
        connection.sock.settimeout(real_seconds)
        connection.request("GET", path, headers={"User-Agent": AGENT, "Connection": "close"})
        code = connection.getresponse().status
    except TimeoutError:
        return Result("Target.Timeout", "Request timed out")
    except (OSError, http.client.HTTPException):
        return Result("Target.FailedHealthChecks", "Health checks failed")
    finally:
        connection.close()
    if accepts(matcher, code):
        return Result()
    return Result("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")


def judge(target: Target, result: Result, healthy_threshold: int, unhealthy_threshold: int) -> bool:
    """Count a result and move the target; True when its state changed.

    A target that was never judged is healthy after its first passed check.
    """
    if result.passed:
        target.passed, target.failed = target.passed + 1, 0
        needed = 1 if target.state == "initial" else healthy_threshold
        if target.state != "healthy" and target.passed >= needed:
            return target.move("healthy")
        return False
    target.passed, target.failed = 0, target.failed + 1
    if target.state == "initial" and target.failed < unhealthy_threshold:
        target.move("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        return False
    if target.state == "unhealthy" or target.failed >= unhealthy_threshold:
        return target.move("unhealthy", result.reason, result.description)
    return False
