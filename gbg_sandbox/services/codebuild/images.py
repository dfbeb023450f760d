"""The build image, and what of AWS's curated image it really has."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codebuild.buildspec import BuildspecError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""a container's `python3` is the interpreter that runs the sandbox"""
IMAGES = {
    "x86_64": ("aws/codebuild/amazonlinux-x86_64-standard:5.0", "LINUX_CONTAINER"),
    "aarch64": ("aws/codebuild/amazonlinux-aarch64-standard:3.0", "ARM_CONTAINER"),
}
RUNTIMES: Mapping[str, tuple[str, ...]] = {"java": ("corretto17",), "python": (PYTHON,)}


def own_image() -> tuple[str, str]:
    """Image name and environment type of this machine's processor."""
    return IMAGES.get(platform.machine(), IMAGES["x86_64"])


def check_image(environment: Mapping[str, Any]) -> None:
    """Raises AwsError for what this sandbox can't start."""
    image, kind = own_image()
    if environment["image"] != image or environment["type"] != kind:
        raise AwsError(
            "InvalidInputException",
            f"gbg_sandbox does not run image {environment['image']} as {environment['type']}; "
            f"it has {image} ({kind})",
        )
    for key in ("privilegedMode", "certificate", "registryCredential", "fleet", "dockerServer"):
        if environment.get(key):
            raise AwsError("InvalidInputException", f"gbg_sandbox does not run builds with environment.{key}")


def check_runtimes(runtimes: Mapping[str, Any]) -> None:
    """Raises BuildspecError in CodeBuild's words; a version that isn't here counts as unknown."""
    for name, version in runtimes.items():
        if name not in RUNTIMES:
            raise BuildspecError(
                f"Unknown runtime named '{name}'. "
                f"This build image has the following runtimes: {', '.join(RUNTIMES)}"
            )
        if str(version).removesuffix(".x") not in RUNTIMES[name]:
            raise BuildspecError(
                f"Unknown runtime version named '{version}' of {name}. "
                f"This build image has the following versions: {', '.join(RUNTIMES[name])}"
            )


def curated() -> list[dict[str, Any]]:
    """ListCuratedEnvironmentImages: the one image that can be run here."""
    name, _ = own_image()
    image = {
        "name": name,
        "description": f"Amazon Linux 2023 look-alike: Maven, Corretto 17, Python {PYTHON}",
    }
    return [
        {
            "platform": "AMAZON_LINUX",
            "languages": [{"language": "JAVA", "images": [{**image, "versions": [f"{name}-gbg"]}]}],
        }
    ]
