"""Records: reading one and drawing its page, 10,000 releases in one table, hashing beside reading a disk."""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import ROOT, tell

ROUNDS = 5
RELEASES = 10_000
BYTES = 400_000_000
EXAMPLE = ROOT / "tests" / "records" / "failed-by-a-hook.zip"
TABLE = """
import sys, time
began = time.monotonic()
from pathlib import Path
from gbg_lib.record.store import Store
from gbg_lib.views.releases import rates, releases
frame = releases(Store(Path(sys.argv[1]), "gbg").summaries())
assert len(frame) == int(sys.argv[2]) and rates(frame)
print(time.monotonic() - began)
"""
PAGE = """
import sys, time
began = time.monotonic()
from pathlib import Path
from gbg_lib.parameters import Parameters
from gbg_lib.record import reading
from gbg_lib.views.record_page import write_pages
write_pages(reading.read(Parameters()), Path(sys.argv[1]))
print(time.monotonic() - began)
"""


def fresh(program: str, *words: str) -> tuple[float, float]:
    """Seconds in a new Python, imports and all, and its peak of memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peak = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, before)
    return float(done.stdout), peak / 1024


def index(folder: Path, number: int) -> None:
    """As many releases as an index of a very busy team has after years; one in nine failed."""
    sys.path.insert(0, str(ROOT))
    from gbg_lib.record.store import Entry, Store
    from tests.unit.record_fakes import manifest, summary

    store = Store(folder, "gbg")
    store.folder.mkdir(parents=True)
    with store.index.open("w") as file:
        for one in range(number):
            status = "Failed" if one % 9 == 8 else "Succeeded"
            told = manifest(one)
            entry = Entry(told.link("manifest.json", b""), summary(one, status=status))
            file.write(entry.line + "\n")


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def hashing(folder: Path) -> dict[str, float]:
    """SHA-256 of a file beside reading it from the disk, its pages dropped first."""
    path = folder / "large"
    path.write_bytes(os.urandom(1_000_000) * (BYTES // 1_000_000))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    read = timed(path.read_bytes)
    content = path.read_bytes()
    hashed = timed(lambda: hashlib.sha256(content).hexdigest())
    megabytes = BYTES / 1e6
    return {"read_mb_s": megabytes / read, "hashed_mb_s": megabytes / hashed, "ratio": read / hashed}


def main() -> None:
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="gbg-benchmark-") as name:
        folder = Path(name)
        pages = [fresh(PAGE, str(folder / "pages"))[0] for _ in range(ROUNDS)]
        index(folder, RELEASES)
        tables = [fresh(TABLE, str(folder), str(RELEASES)) for _ in range(ROUNDS)]
        disk = hashing(folder)
    median, slowest = statistics.median(pages), max(pages)
    tell(
        "records",
        [
            {
                "what": "one record, read and drawn as a page",
                "seconds": median,
                "slowest": slowest,
                "claim": "< 3",
            },
            {
                "what": f"{RELEASES} releases in one table",
                "seconds": statistics.median(seconds for seconds, _ in tables),
                "slowest": max(seconds for seconds, _ in tables),
                "claim": "< 10",
                "peak_mib": max(peak for _, peak in tables),
            },
        ],
        hashing=disk,
        took=f"{(datetime.now(UTC) - began) // timedelta(seconds=1)} s",
    )


if __name__ == "__main__":
    main()
