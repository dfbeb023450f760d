"""Actions that steer: branch, sleep, approve, pause, updateVariable."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import Principal
from gbg_sandbox.services.ssm.automation.actions.work import Outcome, StepFailed, Work, api_failure
from gbg_sandbox.services.ssm.automation.values import WrongValue, text, typed

Inputs = Mapping[str, Any]
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
LONGEST_SLEEP_SECONDS = 604799
INPUTS = "validating and resolving the step inputs"

STRING_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda found, wanted: found == wanted,
    "EqualsIgnoreCase": lambda found, wanted: found.lower() == wanted.lower(),
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
    "Contains": lambda found, wanted: wanted in found,
}
NUMERIC_TESTS: dict[str, Callable[[float, float], bool]] = {
    "NumericEquals": lambda found, wanted: found == wanted,
    "NumericGreater": lambda found, wanted: found > wanted,
    "NumericLesser": lambda found, wanted: found < wanted,
    "NumericGreaterOrEquals": lambda found, wanted: found >= wanted,
    "NumericLesserOrEquals": lambda found, wanted: found <= wanted,
}


def branch(work: Work, inputs: Inputs) -> Outcome:
    """The first true choice decides, then Default, then the order of the document."""
    for choice in inputs["Choices"]:
        if holds({key: value for key, value in choice.items() if key != "NextStep"}):
            return Outcome(next_step=choice["NextStep"])
    return Outcome(next_step=inputs.get("Default", ""))


def holds(condition: Mapping[str, Any]) -> bool:
    """Raises StepFailed when a value has not the type that the operation compares."""
    if "And" in condition:
        return all(holds(one) for one in condition["And"])
    if "Or" in condition:
        return any(holds(one) for one in condition["Or"])
    if "Not" in condition:
        return not holds(condition["Not"])
    ((test, wanted),) = ((key, value) for key, value in condition.items() if key != "Variable")
    found = condition["Variable"]
    try:
        if test in NUMERIC_TESTS:
            return NUMERIC_TESTS[test](float(found), float(wanted))
        if test == "BooleanEquals":
            return bool(typed("Boolean", found) == typed("Boolean", wanted))
    except (TypeError, ValueError, WrongValue) as error:
        raise StepFailed(f"{test} can't compare {text(found)} with {text(wanted)}.", doing=INPUTS) from error
    return STRING_TESTS[test](text(typed("String", found)), text(wanted))


def sleep(work: Work, inputs: Inputs) -> Outcome:
    if "Timestamp" in inputs:
        until = _timestamp(str(inputs["Timestamp"]))
        real_seconds = max(0.0, (until - work.cloud.clock.now()).total_seconds())
    else:
        real_seconds = work.cloud.clock.real_seconds(_seconds(str(inputs["Duration"])))
    end = time.monotonic() + real_seconds
    work.wait(lambda: time.monotonic() >= end, doing="sleeping", poll=min(0.1, max(0.005, real_seconds)))
    return Outcome()


def _timestamp(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise StepFailed(
            f"Timestamp {given} is not ISO 8601.", doing=INPUTS, stage="InputValidation"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(duration: str) -> float:
    found = DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        raise StepFailed(
            f"Duration {duration} is not an ISO 8601 duration.", doing=INPUTS, stage="InputValidation"
        )
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    if length > LONGEST_SLEEP_SECONDS:
        raise StepFailed(f"Duration {duration} is above 7 days.", doing=INPUTS, stage="InputValidation")
    return length


def update_variable(work: Work, inputs: Inputs) -> Outcome:
    name = str(inputs["Name"]).removeprefix("variable:")
    declared = work.execution.document.variables.get(name)
    if declared is None:
        raise StepFailed(f"Variable {name} is not defined.", doing=INPUTS, stage="InputValidation")
    try:
        value = typed(declared.type, inputs["Value"])
    except WrongValue as error:
        raise StepFailed(f"Variable {name}: {error}.", doing=INPUTS, stage="InputValidation") from error
    work.execution.scope.variables[name] = value
    return Outcome()


def approve(work: Work, inputs: Inputs) -> Outcome:
    """Wait for enough approvals by those named; one rejection fails the step."""
    approvers = typed("StringList", inputs["Approvers"])
    needed = typed("Integer", inputs.get("MinRequiredApprovals", 1))
    if not 1 <= needed <= len(approvers):
        raise StepFailed(
            f"MinRequiredApprovals {needed} does not fit {len(approvers)} approvers.",
            doing=INPUTS,
            stage="InputValidation",
        )
    if inputs.get("NotificationArn"):
        _notify(work, inputs)
    decisions: dict[str, str] = {}

    def decided() -> bool:
        for signal in work.signals():
            name = _approver(signal.principal, approvers)
            if name and signal.type in ("Approve", "Reject"):
                decisions[name] = "Approved" if signal.type == "Approve" else "Rejected"
        return "Rejected" in decisions.values() or len(decisions) >= needed

    work.set_status("Waiting")
    work.wait(decided, doing="waiting for approval")
    rejected = "Rejected" in decisions.values()
    outputs = {
        "ApprovalStatus": "Rejected" if rejected else "Approved",
        "ApproverDecisions": [{"Approver": name, "Decision": verdict} for name, verdict in decisions.items()],
    }
    if rejected:
        names = ", ".join(name for name, verdict in decisions.items() if verdict == "Rejected")
        raise StepFailed(
            f"The approval was rejected by {names}.", doing="waiting for approval", outputs=outputs
        )
    return Outcome(outputs)


def _approver(principal: Principal, approvers: list[str]) -> str:
    """Under which of the named approvers this principal decides; empty when it is none."""
    role = f"arn:aws:iam::{principal.account}:role/{principal.role_name}" if principal.role_name else ""
    known = {principal.arn, principal.user_name, role} - {""}
    return next((name for name in approvers if name in known), "")


def may_decide(principal: Principal, approvers: list[str]) -> bool:
    return bool(_approver(principal, approvers))


def _notify(work: Work, inputs: Inputs) -> None:
    try:
        work.client("sns").publish(
            TopicArn=inputs["NotificationArn"],
            Subject="Automation approval request",
            Message=f"{inputs.get('Message', '')}\n\nAutomation execution {work.execution.id} of document "
            f"{work.execution.document_name} waits at step {work.step.step.name}.",
        )
    except ClientError as error:
        raise api_failure(error, "AmazonSNS", "sending the approval request") from error


def pause(work: Work, inputs: Inputs) -> Outcome:
    """Wait for the signal Resume."""
    work.set_status("Waiting")
    before = sum(1 for signal in work.signals() if signal.type == "Resume")
    work.wait(lambda: sum(1 for signal in work.signals() if signal.type == "Resume") > before, doing="paused")
    return Outcome()


ACTIONS: dict[str, Callable[[Work, Inputs], Outcome]] = {
    "aws:branch": branch,
    "aws:sleep": sleep,
    "aws:updateVariable": update_variable,
    "aws:approve": approve,
    "aws:pause": pause,
}
