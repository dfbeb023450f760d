"""The services, a folder each. Adding a folder with an `api.py` adds a service."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.service import Service

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


def service_classes() -> list[type[Service]]:
    """Every service's class, by folder name."""
    found: list[type[Service]] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if not (Path(__path__[0]) / module.name / "api.py").exists():
            continue
        api = importlib.import_module(f"{__name__}.{module.name}.api")
        found.append(api.SERVICE)
    return found


def load_services(cloud: Cloud) -> dict[str, Service]:
    """Every service by its botocore name."""
    return {service.name: service(cloud) for service in service_classes()}
