"""The environment variables that a build sees.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codebuild.state import Build

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

JAVA_HOME = "/usr/lib/jvm/java-17-amazon-corretto"
CA_BUNDLE = "/etc/pki/tls/certs/ca-bundle.crt"
"""with the sandbox's own authority, which SDKs that bring a list of their own would not know"""
MAVEN_OPTS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
PARAMETERS_A_CALL = 10


class ParameterError(Exception):
    """A parameter can't be read; the text is CodeBuild's."""


def given_by_codebuild(
    cloud: Cloud, build: Build, source_directories: Mapping[str, str], credentials_path: str
) -> dict[str, str]:
    """Source directories by identifier, the primary one's empty."""
    source = build.settings["source"]
    primary = next((one for one in build.inputs if not one.identifier), None)
    given = {
        "AWS_CA_BUNDLE": CA_BUNDLE,
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": credentials_path,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_REGION": cloud.region,
        "CI": "true",
        "CODEBUILD_BUILD_ARN": build.arn,
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": build.settings["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_KMS_KEY_ID": build.settings["encryptionKey"],
        "CODEBUILD_LOG_PATH": build.log_stream,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.resolved_version,
        "CODEBUILD_SOURCE_REPO_URL": source.get("location", ""),
        "CODEBUILD_SOURCE_VERSION": source_version(build),
        "CODEBUILD_SRC_DIR": source_directories[""],
        "CODEBUILD_START_TIME": str(int(build.started.timestamp() * 1000)),
        "HOME": "/root",
        "JAVA_HOME": JAVA_HOME,
        "MAVEN_OPTS": MAVEN_OPTS,
        "PATH": f"{JAVA_HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    if primary is None or primary.type == "NO_SOURCE":
        del given["CODEBUILD_SOURCE_REPO_URL"]
    for identifier, directory in source_directories.items():
        if identifier:
            given[f"CODEBUILD_SRC_DIR_{identifier}"] = directory
    return {name: value for name, value in given.items() if value}


def source_version(build: Build) -> str:
    """As the API and the build see it: an S3 object's ARN when CodePipeline gave it."""
    primary = next((one for one in build.inputs if not one.identifier), None)
    if primary is None:
        return ""
    if build.settings["source"]["type"] == "CODEPIPELINE":
        return f"arn:aws:s3:::{primary.location}"
    return primary.version


def given_by_project(build: Build, ssm: Any) -> dict[str, str]:
    """The project's variables, with those from the parameter store looked up. Raises ParameterError."""
    listed = build.settings["environment"]["environmentVariables"]
    wanted = {one["name"]: one["value"] for one in listed if one["type"] == "PARAMETER_STORE"}
    found = look_up(wanted, ssm)
    return {one["name"]: found.get(one["name"], one["value"]) for one in listed}


def look_up(wanted: Mapping[str, str], ssm: Any) -> dict[str, str]:
    """Variable → parameter's value, as the service role. Raises ParameterError."""
    names = sorted(set(wanted.values()))
    values: dict[str, str] = {}
    for start in range(0, len(names), PARAMETERS_A_CALL):
        try:
            found = ssm.get_parameters(Names=names[start : start + PARAMETERS_A_CALL], WithDecryption=True)
        except ClientError as error:
            told = error.response["Error"]
            raise ParameterError(f"{told['Code']}: {told['Message']}") from error
        if found["InvalidParameters"]:
            raise ParameterError(f"parameter does not exist: {found['InvalidParameters'][0]}")
        # a name may come with a version or label; the answer carries the bare name
        values |= {one["Name"] + one.get("Selector", ""): one["Value"] for one in found["Parameters"]}
    return {variable: values[name] for variable, name in wanted.items()}
