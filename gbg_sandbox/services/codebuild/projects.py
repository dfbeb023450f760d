"""Is this a project that can be run here? Refusals by name, defaults as AWS fills them in.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codebuild.images import check_image

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
SOURCES = ("CODECOMMIT", "CODEPIPELINE", "NO_SOURCE", "S3")
VARIABLE_TYPES = ("PLAINTEXT", "PARAMETER_STORE")
REFUSED = (
    "vpcConfig",
    "secondarySources",
    "secondaryArtifacts",
    "fileSystemLocations",
    "buildBatchConfig",
    "concurrentBuildLimit",
    "badgeEnabled",
    "autoRetryLimit",
)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInputException", message)


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise _invalid(
            "Project name must be 2 to 150 characters: letters, digits, hyphens and underscores, "
            "the first a letter or digit"
        )


def complete(settings: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """The settings with AWS's defaults. Raises AwsError for what is wrong or can't be run here."""
    for key in REFUSED:
        if settings.get(key):
            raise _invalid(f"gbg_sandbox does not run projects with {key}")
    made = {key: value for key, value in settings.items() if key not in REFUSED}
    made.setdefault("timeoutInMinutes", 60)
    made.setdefault("queuedTimeoutInMinutes", 480)
    made.setdefault("encryptionKey", f"arn:aws:kms:{region}:{account}:alias/aws/s3")
    made.setdefault("cache", {"type": "NO_CACHE"})
    made.setdefault("tags", [])
    check_source(made["source"])
    check_artifacts(made["artifacts"], made["source"])
    check_environment(made["environment"])
    _check_cache(made["cache"])
    _check_logs(made.get("logsConfig", {}))
    _check_times(made)
    return made


def check_source(source: Mapping[str, Any]) -> None:
    kind = source["type"]
    if kind not in SOURCES:
        raise _invalid(f"gbg_sandbox does not run source type {kind}; it has {', '.join(SOURCES)}")
    if kind in ("CODECOMMIT", "S3") and not source.get("location"):
        raise _invalid(f"Invalid project source: location must be set for type {kind}")
    if kind == "NO_SOURCE" and not source.get("buildspec"):
        raise _invalid("Invalid project source: buildspec must be specified for source type NO_SOURCE")


def check_artifacts(artifacts: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    if (artifacts["type"] == "CODEPIPELINE") != (source["type"] == "CODEPIPELINE"):
        raise _invalid(
            "Invalid artifacts: artifact type CODEPIPELINE should be used with source type CODEPIPELINE, "
            "and no other"
        )
    if artifacts["type"] == "S3" and not artifacts.get("location"):
        raise _invalid("Invalid artifacts: location must be set for type S3")


def check_environment(environment: dict[str, Any]) -> None:
    check_image(environment)
    environment.setdefault("privilegedMode", False)
    environment.setdefault("imagePullCredentialsType", "CODEBUILD")
    environment.setdefault("environmentVariables", [])
    check_variables(environment["environmentVariables"])


def check_variables(variables: list[dict[str, Any]]) -> None:
    names = [one["name"] for one in variables]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise _invalid(f"Invalid environment variables: {doubled} is given more than once")
    for one in variables:
        one.setdefault("type", "PLAINTEXT")
        if one["type"] not in VARIABLE_TYPES:
            raise _invalid(
                f"gbg_sandbox does not run environment variables of type {one['type']} ({one['name']})"
            )


def _check_cache(cache: Mapping[str, Any]) -> None:
    if cache["type"] == "S3":
        raise _invalid("gbg_sandbox does not run an S3 cache; use type LOCAL with LOCAL_CUSTOM_CACHE")
    for mode in cache.get("modes", []):
        if mode != "LOCAL_CUSTOM_CACHE":
            raise _invalid(f"gbg_sandbox does not run cache mode {mode}; it has LOCAL_CUSTOM_CACHE")


def _check_logs(logs: Mapping[str, Any]) -> None:
    if logs.get("s3Logs", {}).get("status") == "ENABLED":
        raise _invalid("gbg_sandbox does not write build logs to S3; they go to CloudWatch Logs")


def _check_times(settings: Mapping[str, Any]) -> None:
    for key, least, most in (("timeoutInMinutes", 5, 2160), ("queuedTimeoutInMinutes", 5, 480)):
        if not least <= settings[key] <= most:
            raise _invalid(f"Invalid {key}: it must be between {least} and {most} minutes")
