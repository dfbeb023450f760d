"""Operations on executions."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.ssm.automation import start
from gbg_sandbox.services.ssm.automation.actions.flow import may_decide
from gbg_sandbox.services.ssm.automation.actions.work import SERVICE_PRINCIPAL
from gbg_sandbox.services.ssm.automation.announce import execution_changed
from gbg_sandbox.services.ssm.automation.describe import execution_shape, metadata_shape, step_shape
from gbg_sandbox.services.ssm.automation.document import AutomationDocument
from gbg_sandbox.services.ssm.automation.engine import AutomationEngine
from gbg_sandbox.services.ssm.automation.state import ENDED, Execution, Executions, Signal, StepExecution
from gbg_sandbox.services.ssm.automation.values import typed
from gbg_sandbox.services.ssm.automation.variables import Scope, global_values
from gbg_sandbox.services.ssm.documents.state import Documents, DocumentVersion
from gbg_sandbox.services.ssm.paging import page
from gbg_sandbox.services.ssm.refusing import refuse_inputs
from gbg_sandbox.services.ssm.tags import as_map

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

NOT_RUN = (
    "TargetParameterName", "Targets", "TargetMaps", "MaxConcurrency", "MaxErrors", "TargetLocations",
    "AlarmConfiguration", "TargetLocationsURL",
)  # fmt: skip


class AutomationOperations(Service):
    documents: Documents

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.executions = Executions()
        self.automation = AutomationEngine(cloud, self.executions)

    @runs
    def start_automation_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, *NOT_RUN)
        if params.get("Mode", "Auto") != "Auto":
            raise AwsError("ValidationException", "gbg_sandbox does not run Mode Interactive; use Auto")
        name, version = self._definition(params)
        again = self._again(params, name, version)
        if again is not None:
            return {"AutomationExecutionId": again.id}
        execution = self._prepare(call, params, name, version)
        self.executions.add(execution)
        execution_changed(self.cloud, execution)
        self.automation.start(execution)
        return {"AutomationExecutionId": execution.id}

    def _definition(self, params: dict[str, Any]) -> tuple[str, DocumentVersion]:
        try:
            document = self.documents.get(params["DocumentName"])
        except AwsError as error:
            raise AwsError("AutomationDefinitionNotFoundException", error.message) from error
        if document.type != "Automation":
            raise AwsError(
                "AutomationDefinitionNotFoundException", f"{document.name} is not an Automation document"
            )
        try:
            return document.name, document.version(params.get("DocumentVersion", ""))
        except AwsError as error:
            raise AwsError("AutomationDefinitionVersionNotFoundException", error.message) from error

    def _again(self, params: dict[str, Any], name: str, version: DocumentVersion) -> Execution | None:
        """The execution that this client token has started before."""
        earlier = self.executions.by_token(params.get("ClientToken", ""))
        if earlier is None:
            return None
        assert isinstance(version.read, AutomationDocument)
        same = start.given_parameters(version.read, params.get("Parameters", {}))
        before = {
            key: value for key, value in earlier.parameters.items() if key in params.get("Parameters", {})
        }
        now = {key: value for key, value in same.items() if key in params.get("Parameters", {})}
        if (earlier.document_name, earlier.document_version) != (name, str(version.number)) or before != now:
            raise AwsError(
                "IdempotentParameterMismatch", "The client token was used with other parameters before."
            )
        return earlier

    def _prepare(self, call: Call, params: dict[str, Any], name: str, version: DocumentVersion) -> Execution:
        document = version.read
        assert isinstance(document, AutomationDocument)
        execution_id = str(uuid.uuid4())
        given = start.given_parameters(document, params.get("Parameters", {}))
        role = start.assume_role(document, given)
        if role:
            start.check_role(self.cloud, call.principal, role, execution_id)
        values = start.resolve_defaults(document, given, self._reader(call, role, execution_id))
        started = self.cloud.clock.now()
        fixed = {
            **values,
            **global_values(started, self.cloud.region, self.cloud.account),
            "automation:EXECUTION_ID": execution_id,
        }
        variables = {key: one.default for key, one in document.variables.items() if one.default is not None}
        return Execution(
            id=execution_id,
            document_name=name,
            document_version=str(version.number),
            document=document,
            caller=call.principal,
            role=role,
            parameters=values,
            scope=Scope(fixed, variables),
            started=started,
            client_token=params.get("ClientToken", ""),
            tags=as_map(params.get("Tags", [])),
            steps=[StepExecution(step) for step in document.steps],
        )

    def _reader(self, call: Call, role: str, execution_id: str) -> Any:
        if not role:
            return self.cloud.client("ssm", principal=call.principal)
        return self.cloud.client(
            "ssm", role=role, acting=SERVICE_PRINCIPAL, session=f"Automation-{execution_id}",
            source_arn=self.cloud.arn("ssm", f"automation-execution/{execution_id}"),
        )  # fmt: skip

    @runs
    def get_automation_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(params)
        with self.executions.lock:
            return {"AutomationExecution": execution_shape(execution)}

    @runs
    def describe_automation_executions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.executions.lock:
            found = [
                metadata_shape(one)
                for one in self.executions.newest_first()
                if all(_matches(one, rule["Key"], rule["Values"]) for rule in params.get("Filters", []))
            ]
        return page("AutomationExecutionMetadataList", found, params)

    @runs
    def describe_automation_step_executions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(params)
        with self.executions.lock:
            records = [
                record
                for record in execution.steps
                if all(
                    _step_matches(record, rule["Key"], rule["Values"]) for rule in params.get("Filters", [])
                )
            ]
            if params.get("ReverseOrder"):
                records.reverse()
            shapes = [step_shape(execution, record) for record in records]
        return page("StepExecutions", shapes, params)

    @runs
    def stop_automation_execution(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Cancel ends the running step; Complete lets it end, and no other begins. Both end as Cancelled."""
        execution = self._execution(params)
        with self.executions.lock:
            if execution.status in ENDED:
                raise AwsError(
                    "InvalidAutomationStatusUpdateException",
                    f"Execution {execution.id} is in status {execution.status}, it can't be stopped",
                )
            execution.stop_type = params.get("Type", "Cancel")
            execution.stopping.set()
        return {}

    @runs
    def send_automation_signal(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(params)
        kind = params["SignalType"]
        expected = {"Approve": "aws:approve", "Reject": "aws:approve", "Resume": "aws:pause"}.get(kind)
        if expected is None:
            raise AwsError("InvalidAutomationSignalException", f"gbg_sandbox does not run the signal {kind}")
        with self.executions.lock:
            record = execution.step(execution.current) if execution.current else None
            if execution.status != "Waiting" or record is None or record.step.action != expected:
                raise AwsError(
                    "InvalidAutomationSignalException", f"Execution {execution.id} does not wait for {kind}"
                )
            if expected == "aws:approve":
                _check_approver(call, record)
            comment = " ".join(params.get("Payload", {}).get("Comment", []))
            execution.signals.append(Signal(kind, call.principal, comment))
        return {}

    def _execution(self, params: dict[str, Any]) -> Execution:
        execution = self.executions.find(params["AutomationExecutionId"])
        if execution is None:
            raise AwsError(
                "AutomationExecutionNotFoundException",
                f"Couldn't find an automation execution with id {params['AutomationExecutionId']}",
            )
        return execution


def _check_approver(call: Call, record: StepExecution) -> None:
    approvers = typed("StringList", record.inputs.get("Approvers", []))
    if not may_decide(call.principal, approvers):
        raise AwsError(
            "AccessDeniedException",
            f"{call.principal.arn} is not one of the approvers of step {record.step.name}",
        )


def _matches(execution: Execution, key: str, values: list[str]) -> bool:
    facts = {
        "ExecutionId": execution.id,
        "ExecutionStatus": execution.status,
        "CurrentAction": execution.step(execution.current).step.action if execution.current else "",
        "AutomationType": "Local",
    }
    if key in facts:
        return facts[key] in values
    if key == "DocumentNamePrefix":
        return any(execution.document_name.startswith(value) for value in values)
    if key == "TagKey":
        return any(value in execution.tags for value in values)
    if key in ("StartTimeBefore", "StartTimeAfter"):
        return _in_time(execution.started, key, values)
    raise AwsError("InvalidFilterKey", f"gbg_sandbox does not filter executions by {key}")


def _step_matches(record: StepExecution, key: str, values: list[str]) -> bool:
    facts = {
        "StepExecutionStatus": record.status,
        "StepExecutionId": record.id,
        "StepName": record.step.name,
        "Action": record.step.action,
    }
    if key in facts:
        return facts[key] in values
    if key in ("StartTimeBefore", "StartTimeAfter"):
        return record.started is not None and _in_time(record.started, key, values)
    raise AwsError("InvalidFilterKey", f"gbg_sandbox does not filter steps by {key}")


def _in_time(started: datetime, key: str, values: list[str]) -> bool:
    try:
        limits = [datetime.fromisoformat(value) for value in values]
    except ValueError as error:
        raise AwsError("InvalidFilterValue", f"{key} takes times in ISO 8601") from error
    if any(limit.tzinfo is None for limit in limits):
        raise AwsError("InvalidFilterValue", f"{key} takes times in UTC, such as 2026-01-31T12:00:00Z")
    return all(started < limit if key == "StartTimeBefore" else started > limit for limit in limits)
