"""Imports moto's EC2 in a third of the time.

On import it reads EC2's model three times, each time in a new session, and every region's offerings of
instance types. Here it gets one session and one region's offerings, which is all that is asked for.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.utilities import utils

from gbg_sandbox.gateway.transport import session

OFFERINGS = "instance_type_offerings/"
_lock = threading.Lock()


def import_ec2(region: str) -> None:
    with _lock:
        if "moto.ec2.models" not in sys.modules:
            with _lean(region):
                import moto.ec2.models  # noqa: F401


@contextmanager
def _lean(region: str) -> Iterator[None]:
    """For as long as the import takes; both names are moto's alone to use meanwhile."""
    new_session, load_everything = boto3.Session, utils.load_resource
    shared = boto3.Session(botocore_session=session())
    boto3.Session = lambda: shared  # type: ignore[misc, assignment]
    utils.load_resource = _of_region(region, load_everything)  # type: ignore[assignment]
    try:
        yield
    finally:
        boto3.Session, utils.load_resource = new_session, load_everything  # type: ignore[misc]


def _of_region(region: str, load: Callable[[str], Any]) -> Callable[[str], Any]:
    def load_if_wanted(resource: str) -> Any:
        elsewhere = OFFERINGS in resource and f"/{region}." not in resource
        return [] if elsewhere else load(resource)

    return load_if_wanted
