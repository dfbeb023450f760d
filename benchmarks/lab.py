"""`gbg lab` to a runbook 00 that can be read: 10 seconds at most on a machine that is set up.

The browser runs already, as a person's does, but with an empty cache; each round has a sandbox of its own.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, eventually, tell

sys.path.append(str(ROOT))

from tests.browser.chromium import Chromium
from tests.browser.conftest import QUIET
from tests.browser.lab import FRONT, Lab

ROUNDS = 3


def measure(folder: Path, chromium: str) -> dict[str, float]:
    lab = Lab(folder / "lab")
    browser = Chromium(chromium, folder / "profile", QUIET)
    try:
        begun = time.monotonic()
        with lab.running() as address:
            told = time.monotonic()
            browser.open(address)
            browser.until(f"{FRONT}?.querySelector('h1')?.textContent.startsWith('00 · Welcome')")
            shown = time.monotonic()
            eventually("a kernel", lambda: "Connecting to kernel" in lab.said())  # it can be stopped then
    finally:
        browser.close()
    return {"address_told": told - begun, "shown": shown - told, "together": shown - begun}


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium on this machine: apt-get install chromium")
    rows = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="gbg-benchmark-", ignore_cleanup_errors=True) as folder:
            rows.append(measure(Path(folder), chromium))
    together = statistics.median(row["together"] for row in rows)
    tell("gbg lab to a visible runbook 00, seconds", rows, median=together, claim="<= 10")


if __name__ == "__main__":
    main()
