"""Builds with their phases; their logs are texts of their own."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

BUILDS = 6


def read(ask: Asking) -> list[dict[str, Any]]:
    ids = ask("codebuild", "list_builds")["ids"][:BUILDS]
    builds = ask("codebuild", "batch_get_builds", ids=ids)["builds"] if ids else []
    return [_build(one) for one in builds]


def _build(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "project": one["projectName"],
        "status": one["buildStatus"],
        "phase": one["currentPhase"],
        "started": one["startTime"],
        "ended": one.get("endTime"),
        "log": [one["logs"].get("groupName", ""), one["logs"].get("streamName", "")],
        "phases": [
            {
                "name": phase["phaseType"],
                "status": phase.get("phaseStatus", "IN_PROGRESS"),
                "seconds": phase.get("durationInSeconds"),
                "why": "; ".join(why.get("message", "") for why in phase.get("contexts", [])).strip("; "),
            }
            for phase in one["phases"]
        ],
        "going_on": not one["buildComplete"],
    }
