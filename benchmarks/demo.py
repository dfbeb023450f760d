"""`gbg demo` after set-up: 90 seconds at most."""

from __future__ import annotations

import re
import time

from common import sandbox, tell

DONE = re.compile(r"^(\w+) done in (\d+) s", re.MULTILINE)
RELEASE = re.compile(r"^\W*\d\W+(\w{8})\W+ami-\w+\W+(\d+)\W*$", re.MULTILINE)


def main() -> None:
    with sandbox() as one:
        one.gbg("doctor")
        begun = time.monotonic()
        told = one.gbg("demo")
        seconds = time.monotonic() - begun
    rows: list[dict[str, object]] = [
        {"what": f"runbook {name}", "seconds": int(took)} for name, took in DONE.findall(told)
    ]
    rows += [{"what": f"release of {commit}", "seconds": int(took)} for commit, took in RELEASE.findall(told)]
    tell("gbg demo, seconds", rows, whole=seconds, claim="<= 90")


if __name__ == "__main__":
    main()
