"""The private API between the CodeDeploy agent and the service (CodeDeployCommandService_v20141006).

The caller is known by its instance role's credentials; it needs no IAM right, as on AWS while
`enable_auth_policy` is off. Deployment specifications are plain JSON here: AWS signs them (PKCS7).
"""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.codedeploy.commands import FAILED, SUCCEEDED, CommandQueue, HostCommand

POLL_SECONDS = 20.0
"""real seconds that a poll is held open"""
DEPLOYMENT_SYSTEM = "CodeDeploy"


class CodeDeployCommands(Service):
    name = "codedeploy-commands"

    @property
    def _queue(self) -> CommandQueue:
        queue: CommandQueue = self.cloud.service("codedeploy").commands
        return queue

    @runs
    def poll_host_command(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        host = params["HostIdentifier"]
        command = self._queue.poll(self._caller(call, host), POLL_SECONDS)
        if command is None:
            return {}
        return {
            "HostCommand": {
                "HostCommandIdentifier": command.id,
                "HostIdentifier": host,
                "DeploymentExecutionId": command.execution_id,
                "CommandName": command.name,
                "Nonce": 1,
            }
        }

    @runs
    def get_deployment_specification(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        instance_id = self._caller(call, params["HostIdentifier"])
        command = self._queue.of_execution(params["DeploymentExecutionId"], instance_id)
        if command is None:
            raise AwsError(
                "ClientException", f"No deployment {params['DeploymentExecutionId']} for this host"
            )
        envelope = {"Format": "TEXT/JSON", "Payload": json.dumps(command.specification)}
        return {
            "DeploymentSystem": DEPLOYMENT_SYSTEM,
            "DeploymentSpecification": {"GenericEnvelope": envelope},
        }

    @runs
    def put_host_command_acknowledgement(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"CommandStatus": self._queue.acknowledge(self._command(call, params))}

    @runs
    def post_host_command_update(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"CommandStatus": self._command(call, params).status}

    @runs
    def put_host_command_complete(self, call: Call, params: dict[str, Any]) -> None:
        status = params["CommandStatus"]
        if status not in (SUCCEEDED, FAILED):
            raise AwsError("ClientException", f"A command ends as {SUCCEEDED} or {FAILED}, not {status}")
        payload = params.get("Diagnostics", {}).get("Payload", "")
        command = self._command(call, params)
        if command.ended:
            raise AwsError("ClientException", f"Command {command.id} has ended already")
        self._queue.complete(command, status, json.loads(payload) if payload else {})

    def _command(self, call: Call, params: dict[str, Any]) -> HostCommand:
        command = self._queue.find(params["HostCommandIdentifier"])
        if command is None or command.instance_id != call.principal.instance_id:
            raise AwsError("ClientException", f"No command {params['HostCommandIdentifier']} for this host")
        return command

    def _caller(self, call: Call, host: str) -> str:
        instance_id = call.principal.instance_id
        arn = self.cloud.arn("ec2", f"instance/{instance_id}")
        if not instance_id or host != arn:
            raise AwsError("AccessDeniedException", f"These credentials are not those of {host}")
        return instance_id


SERVICE = CodeDeployCommands
