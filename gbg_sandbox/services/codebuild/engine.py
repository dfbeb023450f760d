"""One build, phase by phase, in a container of its own and under the project's service role.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html#view-build-details-phases
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.credentials import Credential
from gbg_sandbox.machines.interface import MachineSpec
from gbg_sandbox.service import Principal
from gbg_sandbox.services.codebuild import buildspec, delivery, environment, image, notices
from gbg_sandbox.services.codebuild.build_log import BuildLog, NoLog
from gbg_sandbox.services.codebuild.container import BuildStopped, BuildTimedOut, Container
from gbg_sandbox.services.codebuild.images import check_runtimes
from gbg_sandbox.services.codebuild.local_cache import LocalCache
from gbg_sandbox.services.codebuild.network import NETWORK
from gbg_sandbox.services.codebuild.state import (
    FAILED,
    FAULT,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    Build,
    Phase,
    PhaseFailed,
)
from gbg_sandbox.services.codebuild.transfer import SourceError, Transfer

if TYPE_CHECKING:
    from gbg_sandbox.services.codebuild.api import CodeBuild

log = logging.getLogger(__name__)

ACTING = "codebuild.amazonaws.com"


class BuildRun:
    def __init__(self, service: CodeBuild, build: Build) -> None:
        self._service = service
        self._cloud = service.cloud
        self._build = build
        self._log: BuildLog = NoLog(self._cloud.clock.now)
        self._container: Container | None = None
        self._spec = buildspec.Buildspec(phases={})
        self._principal: Principal | None = None
        self._cache: LocalCache | None = None
        self._credentials_path = ""
        self._address = ""
        self._succeeding = True

    def run(self) -> None:
        notices.build_changed(self._cloud, self._build)
        status = FAULT
        try:
            self._phases()
            status = SUCCEEDED if self._succeeding else FAILED
        except PhaseFailed:
            status = FAILED
        except BuildStopped:
            status = STOPPED
        except BuildTimedOut:
            status = TIMED_OUT
        except ShuttingDown:
            status = STOPPED
        except Exception:
            log.exception("build %s failed", self._build.id)
        finally:
            self._finish(status)

    def stop(self) -> None:
        self._build.stopping.set()
        if self._container is not None:
            self._container.stop()

    # -- phases

    def _phases(self) -> None:
        with self._phase("SUBMITTED"):
            pass
        with self._phase("QUEUED"):
            self._cloud.clock.sleep(1)
        with self._phase("PROVISIONING"):
            self._provision()
        with self._phase("DOWNLOAD_SOURCE"):
            self._download()
        for kind in buildspec.PHASES:
            self._command_phase(kind)
        with self._phase("UPLOAD_ARTIFACTS"):
            self._upload()

    @contextlib.contextmanager
    def _phase(self, kind: str) -> Iterator[None]:
        """Record how it ended, in the build, the log and the event stream."""
        phase = Phase(kind)
        self._build.phases.append(phase)
        if kind in buildspec.PHASES or kind == "UPLOAD_ARTIFACTS":
            self._log.say(f"Entering phase {kind}")
        try:
            yield
            phase.status = SUCCEEDED
        except PhaseFailed as error:
            phase.status, phase.code, phase.message = FAILED, error.code, error.message
            self._succeeding = False
            raise
        except BuildTimedOut:
            phase.status, phase.code, phase.message = TIMED_OUT, "BUILD_TIMED_OUT", "Build has timed out. "
            raise
        except (BuildStopped, ShuttingDown):
            phase.status = STOPPED
            raise
        except Exception as error:
            phase.status, phase.code, phase.message = FAULT, "INTERNAL_SERVICE_ERROR", str(error)
            raise
        finally:
            phase.ended = self._cloud.clock.now()
            self._log.say(f"Phase complete: {kind} State: {phase.status}")
            self._log.say(f"Phase context status code: {phase.code} Message: {phase.message}")
            notices.phase_ended(self._cloud, self._build, phase)

    def _command_phase(self, kind: str) -> None:
        """Without on-failure: after a failed BUILD comes POST_BUILD, after any other failed phase the end."""
        spec = self._spec.phases.get(kind, buildspec.PhaseSpec())
        try:
            with self._phase(kind):
                self._commands(spec)
        except PhaseFailed:
            if spec.on_failure != "CONTINUE" and (spec.on_failure == "ABORT" or kind != "BUILD"):
                raise

    def _commands(self, spec: buildspec.PhaseSpec) -> None:
        try:
            for command in spec.commands:
                self._command(command, spec.run_as)
        finally:
            if not self._build.stopping.is_set():
                for command in spec.finally_commands:
                    self._command(command, spec.run_as)

    def _command(self, command: str, run_as: str) -> None:
        assert self._container is not None
        self._log.say(f"Running command {command}")
        status = self._container.command(
            command, shell=self._spec.shell, user=run_as, succeeding=self._succeeding
        )
        if status != 0:
            self._log.say(f"Command did not exit successfully {command} exit status {status}")
            raise PhaseFailed(
                "COMMAND_EXECUTION_ERROR",
                f"Error while executing command: {command}. Reason: exit status {status}",
            )

    # -- before the commands

    def _assume(self) -> Credential:
        return self._cloud.assume(
            self._build.settings["serviceRole"],
            acting=ACTING,
            session=f"AWSCodeBuild-{self._build.uuid}",
            source_arn=self._service.project_arn(self._build.project),
        )

    def _client(self, service: str) -> Any:
        return self._cloud.client(service, principal=self._principal)

    def _provision(self) -> None:
        build = self._build
        try:
            self._principal = self._assume().principal
        except ClientError as error:
            raise PhaseFailed(
                "ACCESS_DENIED",
                "CodeBuild is not authorized to perform: sts:AssumeRole on "
                f"{build.settings['serviceRole']}: {error}",
            ) from error
        self._open_log()
        network = self._service.network
        mirror = network.open()
        self._address = network.take_address()
        mirror.open(build.uuid, self._substituted)
        self._credentials_path = network.offer(self._assume)
        spec = MachineSpec(
            name=f"build-{build.uuid}",
            network=NETWORK,
            address=self._address,
            hostname=build.uuid[:12],
            layers=(*network.maven_layer(self._substituted), *image.layers(self._cloud)),
            boot=False,
        )
        self._log.say("Running on CodeBuild On-demand")
        deadline = time.monotonic() + build.settings["timeoutInMinutes"] * 60
        self._container = Container(self._cloud, spec, self._log, build.stopping, deadline)
        for path, content in image.files(mirror.repository, build.uuid).items():
            self._container.write(path, content)

    def _substituted(self, what: str) -> None:
        self._log.say(f"maven mirror: {what}")

    def _open_log(self) -> None:
        build = self._build
        settings = build.settings.get("logsConfig", {}).get("cloudWatchLogs", {"status": "ENABLED"})
        if settings["status"] == "DISABLED":
            return
        build.log_group = settings.get("groupName") or f"/aws/codebuild/{build.project}"
        prefix = settings.get("streamName")
        build.log_stream = f"{prefix}/{build.uuid}" if prefix else build.uuid
        opened = BuildLog(self._client("logs"), build.log_group, build.log_stream, self._cloud.clock.now)
        try:
            opened.open()
        except ClientError as error:
            raise PhaseFailed(
                "ACCESS_DENIED",
                f"Service role {build.settings['serviceRole']} does not allow AWS CodeBuild to create Amazon "
                f"CloudWatch Logs log streams for build {build.arn}. "
                f"Error message: {error.response['Error']['Message']}",
            ) from error
        self._log = opened

    def _download(self) -> None:
        assert self._container is not None
        directories = self._fetch()
        self._spec = self._read_buildspec(directories[""])
        variables = self._variables(directories)
        for name in self._spec.reports:
            self._log.say(f"gbg_sandbox keeps no test reports: report group {name} is left out")
        for name, version in self._spec.runtimes.items():
            self._log.say(f"Selecting '{name}' runtime version '{version}' based on manual selections...")
        self._cache = LocalCache.of(
            self._build, self._spec.cache_paths, self._service.cache_file(self._build.project), self._log
        )
        if self._cache is not None:
            self._cache.restore(self._container, self._log)
        self._container.begin(variables)
        self._log.say(f"Phases found in YAML: {len(self._spec.phases)}")
        for kind, spec in self._spec.phases.items():
            self._log.say(f" {kind}: {len(spec.commands)} commands")

    def _fetch(self) -> dict[str, str]:
        """Lay the sources down; returns their folders by identifier."""
        assert self._container is not None and self._principal is not None
        transfer = Transfer(self._cloud, self._principal)
        inputs = self._build.inputs
        root = self._container.source_directory
        directories = {"": root}
        for number, wanted in enumerate(inputs):
            directory = root if len(inputs) == 1 else f"{root}/s3/{number:02}"
            directories[wanted.identifier] = directory
            if wanted.type == "NO_SOURCE":
                continue
            try:
                source = transfer.source(wanted)
            except SourceError as error:
                raise PhaseFailed("CLIENT_ERROR", str(error)) from error
            self._container.unpack(source.archive, directory)
            if not wanted.identifier and not self._build.resolved_version:
                self._build.resolved_version = source.revision
        self._container.source_directory = directories[""]
        for identifier, directory in directories.items():
            self._log.say(f"CODEBUILD_SRC_DIR{'_' if identifier else ''}{identifier}={directory}")
        return directories

    def _read_buildspec(self, directory: str) -> buildspec.Buildspec:
        assert self._container is not None
        told = self._build.settings["source"].get("buildspec", "") or "buildspec.yml"
        try:
            if "\n" in told or told.lstrip().startswith("{"):
                self._log.say("YAML location is /codebuild/readonly/buildspec.yml")
                text = told
            else:
                path = f"{directory}/{told}"
                self._log.say(f"YAML location is {path}")
                text = self._container.read(path).decode()
            spec = buildspec.read(text)
            check_runtimes(spec.runtimes)
        except FileNotFoundError as error:
            raise PhaseFailed("YAML_FILE_ERROR", f"stat {path}: no such file or directory") from error
        except (buildspec.BuildspecError, UnicodeDecodeError) as error:
            raise PhaseFailed("YAML_FILE_ERROR", str(error)) from error
        return spec

    def _variables(self, directories: dict[str, str]) -> dict[str, str]:
        """Later ones win: the buildspec's, the project's, CodeBuild's own."""
        ssm = self._client("ssm")
        self._log.say("Processing environment variables")
        try:
            return {
                **self._spec.variables,
                **environment.look_up(self._spec.parameters, ssm),
                **environment.given_by_project(self._build, ssm),
                **environment.given_by_codebuild(
                    self._cloud, self._build, directories, self._credentials_path
                ),
            }
        except environment.ParameterError as error:
            raise PhaseFailed("Decrypted Variables Error", str(error)) from error

    # -- after the commands

    def _upload(self) -> None:
        assert self._container is not None and self._principal is not None
        for name in self._spec.exported:
            value = self._container.variable(name, self._spec.shell)
            if value is not None:
                self._build.exported.append({"name": name, "value": value})
        delivery.deliver(
            self._build,
            self._spec.artifacts,
            self._container,
            Transfer(self._cloud, self._principal),
            self._log,
        )
        if self._cache is not None and self._succeeding:
            self._cache.save(self._container)

    def _finish(self, status: str) -> None:
        build = self._build
        build.phases.append(Phase("FINALIZING"))
        self._service.network.withdraw(self._credentials_path)
        self._service.close_mirror(build.uuid)
        if self._container is not None:
            self._container.remove()
        if self._address:
            self._service.network.free_address(self._address)
        self._log.close()
        finalizing = build.phases[-1]
        finalizing.status, finalizing.ended = SUCCEEDED, self._cloud.clock.now()
        notices.phase_ended(self._cloud, build, finalizing)
        build.phases.append(Phase("COMPLETED"))
        build.ended = self._cloud.clock.now()
        build.status = status
        notices.build_changed(self._cloud, build)
