"""buildspec.yml, version 0.2, read and checked before anything runs.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
Refused by name: secrets-manager, batch, proxy, git-credential-helper, retries of phases. Reports are left out
with a line in the log. A key that CodeBuild does not know is refused: it is mostly a mistyped one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
TOP_KEYS = ("version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache")
ENV_KEYS = (
    "shell",
    "variables",
    "parameter-store",
    "exported-variables",
    "secrets-manager",
    "git-credential-helper",
)
PHASE_KEYS = ("run-as", "on-failure", "runtime-versions", "commands", "finally")
ARTIFACT_KEYS = (
    "files",
    "name",
    "discard-paths",
    "base-directory",
    "exclude-paths",
    "enable-symlinks",
    "s3-prefix",
    "secondary-artifacts",
)
SHELLS = ("bash", "/bin/sh")
VARIABLE = re.compile(r"[A-Za-z_]\w*")


class BuildspecError(Exception):
    """The buildspec can't be run; the text is what CodeBuild gives as YAML_FILE_ERROR."""


@dataclass(frozen=True)
class PhaseSpec:
    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: str = ""
    """ABORT, CONTINUE, or empty for CodeBuild's own order of phases"""
    run_as: str = ""


@dataclass(frozen=True)
class ArtifactSpec:
    files: tuple[str, ...]
    identifier: str = ""
    """empty for the primary artifact"""
    name: str = ""
    base_directory: str = "."
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()
    enable_symlinks: bool = False


@dataclass(frozen=True)
class Buildspec:
    phases: Mapping[str, PhaseSpec]
    shell: str = "/bin/sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """variable → parameter's name in SSM"""
    exported: tuple[str, ...] = ()
    runtimes: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[ArtifactSpec, ...] = ()
    cache_paths: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


def read(text: str) -> Buildspec:
    """Raises BuildspecError."""
    top = _mapping(_load(text), "buildspec", TOP_KEYS)
    version = top.get("version", "")
    if version != "0.2":
        known = "gbg_sandbox runs version 0.2" if version == "0.1" else "Expecting: 0.2"
        raise BuildspecError(f"Invalid buildspec version: {version or 'none given'}. {known}")
    for refused in ("proxy", "batch"):
        if refused in top:
            raise BuildspecError(f"gbg_sandbox does not run {refused} of a buildspec")
    environment = _mapping(top.get("env", {}), "env", ENV_KEYS)
    _refuse_in_env(environment)
    phases = _mapping(top.get("phases", {}), "phases", None)
    specs = {
        _phase_name(name): _phase(name, body, text, top.get("run-as", "")) for name, body in phases.items()
    }
    if not any(spec.commands for spec in specs.values()):
        raise BuildspecError("At least one phase with commands must be specified in the buildspec")
    install: Any = next((body for name, body in phases.items() if name.lower() == "install"), {})
    return Buildspec(
        phases=specs,
        shell=environment.get("shell", "/bin/sh"),
        variables=_variables(environment.get("variables", {}), "variables"),
        parameters=_variables(environment.get("parameter-store", {}), "parameter-store"),
        exported=_strings(environment.get("exported-variables", ()), "exported-variables"),
        runtimes=_mapping(
            _mapping(install, "install", None).get("runtime-versions", {}), "runtime-versions", None
        ),
        artifacts=_artifacts(top.get("artifacts")),
        cache_paths=_cache_paths(top.get("cache")),
        reports=tuple(_mapping(top.get("reports", {}), "reports", None)),
    )


def _load(text: str) -> Any:
    try:
        # BaseLoader leaves every scalar a string, as CodeBuild takes them: `yes`, 0.2, 017
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BuildspecError(f"{error.problem or 'the file is not YAML'} at line {line}") from error
    except yaml.YAMLError as error:
        raise BuildspecError(str(error)) from error


def _mapping(value: Any, where: str, known: Sequence[str] | None) -> dict[str, Any]:
    if value in ("", None):
        return {}
    if not isinstance(value, dict):
        raise BuildspecError(f"Expected {where} to be a mapping of keys, found {_kind(value)}")
    unknown = [key for key in value if known is not None and key not in known]
    if unknown and known is not None:
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f". Expecting: {', '.join(known)}"
        raise BuildspecError(f"Unknown key {unknown[0]!r} in {where}{hint}")
    return value


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if value in ("", None, ()):
        return ()
    if not isinstance(value, list):
        raise BuildspecError(f"Expected {where} to be a list, found {_kind(value)}")
    for number, one in enumerate(value):
        if not isinstance(one, str):
            raise BuildspecError(
                f"Expected {where}[{number}] to be of string type: found {_kind(one)} instead"
            )
    return tuple(value)


def _variables(value: Any, where: str) -> dict[str, str]:
    found = _mapping(value, where, None)
    for name, text in found.items():
        if not VARIABLE.fullmatch(name):
            raise BuildspecError(f"{name!r} in {where} is not a name for an environment variable")
        if not isinstance(text, str):
            raise BuildspecError(f"Expected {where}.{name} to be of string type: found {_kind(text)} instead")
    return found


def _kind(value: Any) -> str:
    return "subkeys" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a string"


def _refuse_in_env(environment: Mapping[str, Any]) -> None:
    if environment.get("secrets-manager"):
        raise BuildspecError("gbg_sandbox does not run env/secrets-manager; use env/parameter-store")
    if environment.get("git-credential-helper", "no") == "yes":
        raise BuildspecError("gbg_sandbox does not run env/git-credential-helper: yes")
    shell = environment.get("shell", "/bin/sh")
    if shell not in SHELLS:
        raise BuildspecError(f"Invalid shell {shell}. Expecting: {', '.join(SHELLS)}")


def _phase_name(name: str) -> str:
    if name.upper() not in PHASES or name != name.lower():
        raise BuildspecError(
            f"Invalid buildspec phase name: {name}. Expecting: [BUILD INSTALL POST_BUILD PRE_BUILD]"
        )
    return name.upper()


def _phase(name: str, body: Any, text: str, run_as: str) -> PhaseSpec:
    found = _mapping(body, f"phases/{name}", PHASE_KEYS)
    if "runtime-versions" in found and name != "install":
        raise BuildspecError(f"runtime-versions belong to the install phase, not to {name}")
    on_failure = found.get("on-failure", "")
    if on_failure not in ("", "ABORT", "CONTINUE"):
        known = (
            "gbg_sandbox does not run it" if on_failure.startswith("RETRY") else "Expecting: ABORT, CONTINUE"
        )
        raise BuildspecError(f"Invalid on-failure {on_failure} of phase {name}. {known}")
    return PhaseSpec(
        commands=_commands(found.get("commands"), name, "commands", text),
        finally_commands=_commands(found.get("finally"), name, "finally", text),
        on_failure=on_failure,
        run_as=found.get("run-as", run_as),
    )


def _commands(value: Any, phase: str, key: str, text: str) -> tuple[str, ...]:
    if value in ("", None):
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise BuildspecError(f"Expected {key} of phase {phase} to be a list of strings, found {_kind(value)}")
    for number, one in enumerate(value):
        if not isinstance(one, str):
            line = _line_of(text, phase, key, number)
            raise BuildspecError(
                f"Expected {key.capitalize()}[{number}] to be of string type: found {_kind(one)} instead "
                f"at line {line}, value of the key tag on line {line - 1} might be empty"
            )
    return tuple(value)


def _line_of(text: str, phase: str, key: str, number: int) -> int:
    node: Any = yaml.compose(text, Loader=yaml.BaseLoader)
    for name in ("phases", phase, key):
        node = next(child for tag, child in node.value if tag.value == name)
    return int(node.value[number].start_mark.line) + 1


def _artifacts(value: Any) -> tuple[ArtifactSpec, ...]:
    if value in ("", None):
        return ()
    found = _mapping(value, "artifacts", ARTIFACT_KEYS)
    specs = [_artifact(found, "")] if "files" in found else []
    secondary = _mapping(found.get("secondary-artifacts", {}), "secondary-artifacts", None)
    for identifier, body in secondary.items():
        specs.append(
            _artifact(_mapping(body, f"secondary-artifacts/{identifier}", ARTIFACT_KEYS[:-1]), identifier)
        )
    if not specs:
        raise BuildspecError("artifacts need files: which files belong to the artifact")
    return tuple(specs)


def _artifact(found: Mapping[str, Any], identifier: str) -> ArtifactSpec:
    where = f"secondary-artifacts/{identifier}" if identifier else "artifacts"
    files = _strings(found.get("files"), f"{where}/files")
    if not files:
        raise BuildspecError(f"{where} need files: which files belong to the artifact")
    return ArtifactSpec(
        files=files,
        identifier=identifier,
        name=found.get("name", ""),
        base_directory=found.get("base-directory") or ".",
        discard_paths=_yes(found.get("discard-paths", "no"), f"{where}/discard-paths"),
        exclude_paths=_strings(found.get("exclude-paths"), f"{where}/exclude-paths"),
        enable_symlinks=_yes(found.get("enable-symlinks", "no"), f"{where}/enable-symlinks"),
    )


def _yes(value: Any, where: str) -> bool:
    if value not in ("yes", "no", "true", "false"):
        raise BuildspecError(f"Expected {where} to be yes or no, found {value!r}")
    return value in ("yes", "true")


def _cache_paths(value: Any) -> tuple[str, ...]:
    found = _mapping(value, "cache", ("paths", "key", "fallback-keys", "action"))
    for refused in ("key", "fallback-keys", "action"):
        if refused in found:
            raise BuildspecError(f"gbg_sandbox does not run cache/{refused}; leave only cache/paths")
    return _strings(found.get("paths"), "cache/paths")
