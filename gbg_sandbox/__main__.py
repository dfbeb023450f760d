"""The sandbox's own process: `python -m gbg_sandbox HOME [--port N] [--kind KIND] [--scale N]`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.home import Home

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


LOOK_SECONDS = 2.0
"""between two looks whether its folder is there"""


def load_ahead(cloud: Cloud) -> None:
    """Then leave what was loaded out of garbage collection: it stays, and looking through it takes 0.3 s."""
    from gbg_sandbox.gateway import warm

    try:
        warm.load(cloud)
    finally:
        gc.freeze()
        gc.enable()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gbg_sandbox", description=__doc__)
    parser.add_argument("home", type=Path, help="folder that holds the sandbox's files")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--kind", choices=["namespaces", "chroot"], help="kind of machines; probed by default"
    )
    parser.add_argument("--scale", type=float, default=60.0, help="AWS seconds that pass in a real one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    home = Home(options.home)
    gc.disable()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        cloud = home.open_cloud(port=options.port, kind=options.kind, scale=options.scale)
    except Exception as error:
        logging.exception("the sandbox did not start")
        home.write_failure(str(error))
        return 1
    home.write_ready(cloud)
    cloud.spawn("loading ahead", load_ahead, cloud)
    while not stopping.wait(LOOK_SECONDS):
        if home.is_gone():
            logging.error("its folder %s was removed: it ends, as everything that it began", home.folder)
            os._exit(1)  # in its folder's place may be another one's
    home.forget()
    status = 1
    try:
        cloud.stop()
        status = 0
    except Exception:
        logging.exception("the sandbox did not stop in order")
    finally:
        logging.shutdown()
        os._exit(
            status
        )  # else Python waits for a stack's threads, which wait for an answer that will not come


if __name__ == "__main__":
    sys.exit(main())
