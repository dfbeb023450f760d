"""Requests a second through the load balancer to two instances: 5,000 at least.

wrk asks the first fleet for its page over 64 kept connections; client, balancer and JVMs share the cores.
"""

from __future__ import annotations

import re
import subprocess

from common import Sandbox, sandbox, tell

SECONDS = 10
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
FAILED = re.compile(r"^\s*(Non-2xx or 3xx responses|Socket errors): (.+)$", re.MULTILINE)


def through_the_balancer(one: Sandbox) -> tuple[float, str]:
    """Requests a second, and what wrk complained of."""
    outputs = one.client("cloudformation").describe_stacks(StackName="gbg-base")["Stacks"][0]["Outputs"]
    url = next(found["OutputValue"] for found in outputs if found["OutputKey"] == "SiteUrl")
    told = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{SECONDS}s", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=10 * SECONDS,
    ).stdout
    return float(RATE.findall(told)[0]), "; ".join(": ".join(words) for words in FAILED.findall(told))


def main() -> None:
    with sandbox() as one:
        one.gbg("up")
        one.gbg("run", "01")
        through_the_balancer(one)  # the JVMs compile what they do often
        rows = []
        for _ in range(3):
            rate, complaint = through_the_balancer(one)
            rows.append({"requests a second": rate, "failed": complaint or "none"})
    best = max(float(str(row["requests a second"])) for row in rows)
    tell("load balancer, two instances", rows, best=best, claim=">= 5000")


if __name__ == "__main__":
    main()
