"""A rehearsal of a kept record, with its sandbox's start and end, beside the release that it repeats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, tell

RECORD = ROOT / "tests" / "records" / "succeeded.zip"
FACTOR = 5
"""it makes two stacks, releases what served before, releases, records and compares"""


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from gbg_lib.record.archive import open_archive

    with tempfile.TemporaryDirectory(prefix="gbg-rehearsal-") as folder:
        environment = {**os.environ, "GBG_HOME": f"{folder}/home", "GBG_RECORDS": f"{folder}/records"}
        words = [sys.executable, "-m", "gbg_cli", "rehearse", str(RECORD), "--json"]
        began = time.monotonic()
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        whole = time.monotonic() - began
        told = json.loads(done.stdout)
        archives = {"recorded release": RECORD, "rehearsed release": Path(told["rehearsed"])}
        seconds = {
            name: sum(open_archive(path).manifest.summary["stages"].values())
            for name, path in archives.items()
        }
    rows: list[dict[str, object]] = [{"what": name, "seconds": took} for name, took in seconds.items()]
    rows.append({"what": f"rehearsal: {told['status']}", "seconds": whole})
    ratio = whole / seconds["rehearsed release"]
    tell("gbg rehearse, seconds", rows, ratio=ratio, claim=f"within {FACTOR} times the release it repeats")


if __name__ == "__main__":
    main()
