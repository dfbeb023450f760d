"""Bakes: executions of the Automation document that makes golden AMIs.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
"""

from __future__ import annotations

OVER = frozenset(
    {"Success", "TimedOut", "Cancelled", "Failed", "Rejected", "ChangeCalendarOverrideRejected", "Exited"}
    | {"CompletedWithSuccess", "CompletedWithFailure"}
)
"""statuses that a bake stays in"""
