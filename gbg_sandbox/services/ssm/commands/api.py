"""Operations of Run Command."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.ssm.commands.engine import CommandEngine
from gbg_sandbox.services.ssm.commands.state import Command, Commands, Invocation
from gbg_sandbox.services.ssm.documents.command import PLUGIN, CommandDocument, InvalidParameters
from gbg_sandbox.services.ssm.documents.state import Document, Documents
from gbg_sandbox.services.ssm.instances.state import ManagedInstances
from gbg_sandbox.services.ssm.paging import page
from gbg_sandbox.services.ssm.refusing import refuse_inputs

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

OUTPUT_LIMIT = 24000
"""characters that GetCommandInvocation gives"""
PLUGIN_OUTPUT_LIMIT = 2500
"""characters that ListCommandInvocations gives"""
ERROR_MARK = "\n----------ERROR-------\n"
DELIVERY_SECONDS = 3600
OUTPUTS = ("CloudWatchOutputConfig", "OutputS3BucketName", "OutputS3KeyPrefix")


class CommandOperations(Service):
    documents: Documents
    instances: ManagedInstances

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.command_records = Commands()
        self.commands = CommandEngine(cloud, self.command_records, self.instances)

    def instance_ended(self, instance_id: str) -> None:
        self.commands.instance_ended(instance_id)

    def stop(self) -> None:
        super().stop()
        self.commands.wake()

    @runs
    def send_command(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(
            params,
            "ServiceRoleArn",
            "NotificationConfig",
            "AlarmConfiguration",
            "MaxConcurrency",
            "MaxErrors",
        )
        document = self._command_document(params["DocumentName"])
        version = document.version(params.get("DocumentVersion", ""))
        if params.get("DocumentHash") and params["DocumentHash"] != version.hash:
            raise AwsError("InvalidDocument", f"The hash of {document.name} is {version.hash}")
        assert isinstance(version.read, CommandDocument)
        try:
            script = version.read.script(params.get("Parameters", {}))
        except InvalidParameters as error:
            raise AwsError("InvalidParameters", str(error)) from error
        names = self._machines(params)
        now = self.cloud.clock.now()
        seconds = params.get("TimeoutSeconds", DELIVERY_SECONDS)
        command = Command(
            id=str(uuid.uuid4()),
            document_name=document.name,
            document_version=params.get("DocumentVersion", "$DEFAULT"),
            parameters=params.get("Parameters", {}),
            script=script,
            instance_ids=params.get("InstanceIds", []),
            targets=params.get("Targets", []),
            comment=params.get("Comment", ""),
            requested=now,
            expires=now + timedelta(seconds=seconds + script.timeout_seconds),
            timeout_seconds=seconds,
            output={name: params[name] for name in OUTPUTS if params.get(name)},
        )
        command.invocations = {one: Invocation(command.id, one, name, now) for one, name in names.items()}
        self.commands.send(command)
        return {"Command": _command_shape(command)}

    def _command_document(self, name: str) -> Document:
        document = self.documents.get(name)
        if document.type != "Command":
            raise AwsError("InvalidDocument", f"{document.name} is not a Command document")
        return document

    def _machines(self, params: dict[str, Any]) -> dict[str, str]:
        """Instance id → Name tag. By id all must be managed and reachable; by tag those that are managed."""
        wanted, targets = params.get("InstanceIds", []), params.get("Targets", [])
        if bool(wanted) == bool(targets):
            raise AwsError("ValidationException", "SendCommand needs either InstanceIds or Targets")
        if len(set(wanted)) != len(wanted):
            raise AwsError("DuplicateInstanceId", "You can't specify an instance ID in more than one entry")
        if wanted:
            bad = [one for one in wanted if not (found := self.instances.get(one)) or not found.online]
            if bad:
                raise AwsError(
                    "InvalidInstanceId",
                    f"Instances [[{', '.join(bad)}]] not in a valid state for account {self.cloud.account}",
                )
        return self._found(self._filters(wanted, targets))

    @staticmethod
    def _filters(wanted: list[str], targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if wanted:
            return [{"Name": "instance-id", "Values": wanted}]
        filters = []
        for target in targets:
            key, values = target["Key"], target["Values"]
            if key == "InstanceIds":
                filters.append({"Name": "instance-id", "Values": values})
            elif key.startswith("tag:") or key == "tag-key":
                filters.append({"Name": key, "Values": values})
            else:
                raise AwsError("InvalidTarget", f"gbg_sandbox does not find targets by {key}")
        return filters

    def _found(self, filters: list[dict[str, Any]]) -> dict[str, str]:
        pages = self.cloud.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return {
            instance["InstanceId"]: _name(instance)
            for found in pages
            for reservation in found["Reservations"]
            for instance in reservation["Instances"]
            if self.instances.get(instance["InstanceId"]) is not None
        }

    @runs
    def cancel_command(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self.commands.cancel(self._command(params["CommandId"]), params.get("InstanceIds", []))
        return {}

    @runs
    def list_commands(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        found = self._chosen(params)
        if params.get("InstanceId"):
            found = [one for one in found if params["InstanceId"] in one.invocations]
        with self.command_records.changed:
            return page("Commands", [_command_shape(one) for one in found], params)

    @runs
    def list_command_invocations(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        details = bool(params.get("Details"))
        with self.command_records.changed:
            shapes = [
                _invocation_shape(command, invocation, details)
                for command in self._chosen(params)
                for invocation in command.invocations.values()
                if params.get("InstanceId") in (None, "", invocation.instance_id)
            ]
        return page("CommandInvocations", shapes, params)

    @runs
    def get_command_invocation(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("PluginName") not in (None, "", PLUGIN):
            raise AwsError("InvalidPluginName", f"The plugin is {PLUGIN}")
        command = self.command_records.get(params["CommandId"])
        invocation = command.invocations.get(params["InstanceId"]) if command else None
        if command is None or invocation is None:
            raise AwsError(
                "InvocationDoesNotExist", "The command ID and instance ID don't match any invocation."
            )
        with self.command_records.changed:
            return _result_shape(command, invocation)

    def _command(self, command_id: str) -> Command:
        command = self.command_records.get(command_id)
        if command is None:
            raise AwsError("InvalidCommandId", f"There is no command {command_id}")
        return command

    def _chosen(self, params: dict[str, Any]) -> list[Command]:
        if params.get("CommandId"):
            return [self._command(params["CommandId"])]
        found = self.command_records.newest_first()
        for rule in params.get("Filters", []):
            found = [one for one in found if _matches(one, rule["key"], rule["value"])]
        return found


def _name(instance: Mapping[str, Any]) -> str:
    return next((tag["Value"] for tag in instance.get("Tags", []) if tag["Key"] == "Name"), "")


def _matches(command: Command, key: str, value: str) -> bool:
    if key == "Status":
        return command.status[0] == value
    if key == "DocumentName":
        return command.document_name == value
    if key in ("InvokedAfter", "InvokedBefore"):
        try:
            limit = datetime.fromisoformat(value)
        except ValueError as error:
            raise AwsError("InvalidFilterKey", f"{key} takes a time such as 2026-01-31T12:00:00Z") from error
        return command.requested > limit if key == "InvokedAfter" else command.requested < limit
    raise AwsError("InvalidFilterKey", f"gbg_sandbox does not filter commands by {key}")


def _command_shape(command: Command) -> dict[str, Any]:
    status, details = command.status
    return {
        "CommandId": command.id,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "Comment": command.comment,
        "ExpiresAfter": command.expires,
        "Parameters": command.parameters,
        "InstanceIds": list(command.instance_ids),
        "Targets": list(command.targets),
        "RequestedDateTime": command.requested,
        "Status": status,
        "StatusDetails": details,
        "TimeoutSeconds": command.timeout_seconds,
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        **command.counts,
        **command.output,
    }


def _output(invocation: Invocation) -> str:
    stderr = f"{ERROR_MARK}{invocation.stderr}" if invocation.stderr else ""
    return (invocation.stdout + stderr)[:PLUGIN_OUTPUT_LIMIT]


def _invocation_shape(command: Command, invocation: Invocation, details: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "InstanceName": invocation.instance_name,
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "RequestedDateTime": invocation.requested,
        "Status": invocation.status,
        "StatusDetails": invocation.status_details,
        "CommandPlugins": [],
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    }
    if "CloudWatchOutputConfig" in command.output:
        shape["CloudWatchOutputConfig"] = command.output["CloudWatchOutputConfig"]
    if details:
        shape["CommandPlugins"] = [_plugin_shape(command, invocation)]
    return shape


def _plugin_shape(command: Command, invocation: Invocation) -> dict[str, Any]:
    shape = {
        "Name": PLUGIN,
        "Status": invocation.status,
        "StatusDetails": invocation.status_details,
        "ResponseCode": invocation.response_code,
        "ResponseStartDateTime": invocation.started,
        "ResponseFinishDateTime": invocation.ended,
        "Output": _output(invocation),
        **{name: command.output[name] for name in OUTPUTS[1:] if name in command.output},
    }
    return {name: value for name, value in shape.items() if value is not None}


def _result_shape(command: Command, invocation: Invocation) -> dict[str, Any]:
    shape = {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": command.document_name,
        "DocumentVersion": command.document_version,
        "PluginName": PLUGIN,
        "ResponseCode": invocation.response_code,
        "ExecutionStartDateTime": _time(invocation.started),
        "ExecutionElapsedTime": _elapsed(invocation),
        "ExecutionEndDateTime": _time(invocation.ended),
        "Status": invocation.status,
        "StatusDetails": invocation.status_details,
        "StandardOutputContent": invocation.stdout[:OUTPUT_LIMIT],
        "StandardOutputUrl": "",
        "StandardErrorContent": invocation.stderr[:OUTPUT_LIMIT],
        "StandardErrorUrl": "",
    }
    if "CloudWatchOutputConfig" in command.output:
        shape["CloudWatchOutputConfig"] = command.output["CloudWatchOutputConfig"]
    return shape


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""


def _elapsed(invocation: Invocation) -> str:
    if not (invocation.started and invocation.ended):
        return ""
    return f"PT{max(0.0, (invocation.ended - invocation.started).total_seconds()):g}S"
