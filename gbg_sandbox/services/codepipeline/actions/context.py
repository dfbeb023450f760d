"""What an action has at hand: its configuration, its artifacts, and clients under the role it runs with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gbg_sandbox.credentials import Credential
from gbg_sandbox.service import Principal
from gbg_sandbox.services.codepipeline.state import ActionRun, Artifact, Execution, Pipeline

if TYPE_CHECKING:
    from gbg_sandbox.services.codepipeline.api import CodePipeline

ACTING = "codepipeline.amazonaws.com"
LOOK_SECONDS = 0.25
"""real time after which an action is looked at even when there was no news: someone may abandon it"""


class ActionFailed(Exception):
    """The action failed; code and message as ListActionExecutions gives them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ActionAbandoned(Exception):
    """StopPipelineExecution with abandon: nobody waits for the action any more."""


@dataclass
class ActionContext:
    service: CodePipeline
    pipeline: Pipeline
    execution: Execution
    run: ActionRun

    def credential(self) -> Credential:
        """Keys of the role that the action runs with: its own, taken on by the pipeline's, else that."""
        cloud = self.service.cloud
        own = self.run.action.get("roleArn")
        credential = cloud.assume(
            self.execution.declaration["roleArn"],
            acting=ACTING,
            session=str(int(time.time() * 1000)),
            source_arn=self.pipeline.arn,
        )
        if not own:
            return credential
        sts: Any = cloud.client("sts", principal=credential.principal)
        taken = sts.assume_role(RoleArn=own, RoleSessionName=credential.principal.session_name)
        found = cloud.credentials.find(taken["Credentials"]["AccessKeyId"])
        assert found is not None
        return found

    def principal(self) -> Principal:
        return self.credential().principal

    def client(self, service: str) -> Any:
        return self.service.cloud.client(service, principal=self.principal())

    def wait(
        self,
        done: Callable[[], bool],
        *,
        aws_seconds: float,
        real_floor: float,
        news: Callable[[float], object] | None = None,
    ) -> bool:
        """Wait until `done`; False when the time is over first.

        `news` waits so many real seconds, or less when there is something new to see. Raises ActionAbandoned
        and ShuttingDown.
        """
        clock = self.service.cloud.clock
        deadline = time.monotonic() + max(clock.real_seconds(aws_seconds), real_floor)
        while not done():
            if self.execution.abandon.is_set():
                raise ActionAbandoned
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            (news or clock.pause)(min(LOOK_SECONDS, left))
            clock.pause(0)
        return True

    def store(self, content: bytes) -> Artifact:
        """Put the only output artifact into the artifact store."""
        (artifact,) = self.run.outputs
        self.client("s3").put_object(Bucket=artifact.bucket, Key=artifact.key, Body=content, **self._sealed())
        return artifact

    def check_outputs(self) -> None:
        """Every declared output must be there. Raises ActionFailed."""
        s3 = self.client("s3")
        for artifact in self.run.outputs:
            try:
                s3.head_object(Bucket=artifact.bucket, Key=artifact.key)
            except s3.exceptions.ClientError as error:
                raise ActionFailed(
                    "ConfigurationError",
                    f"The action's output artifact {artifact.name} is not at "
                    f"s3://{artifact.bucket}/{artifact.key}: {error}",
                ) from error

    def revise(self, revision: str) -> None:
        """Note which revision the output artifact carries."""
        self.run.outputs = tuple(replace(one, revision=revision) for one in self.run.outputs)

    def console(self, path: str) -> str:
        """The address that AWS's console has for this; the sandbox serves no console."""
        region = self.service.cloud.region
        return f"https://{region}.console.aws.amazon.com/codesuite/{path}?region={region}"

    def _sealed(self) -> dict[str, str]:
        key = self.execution.declaration["artifactStore"].get("encryptionKey")
        return {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": key["id"]} if key else {})}
