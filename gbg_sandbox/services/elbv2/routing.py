"""Actions and conditions of rules: checked, and written out in full as AWS tells them back.

Forward (weighted too), fixed-response and redirect are run; of the conditions path-pattern and host-header.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gbg_sandbox.service import AwsError

ACTIONS = ("forward", "fixed-response", "redirect")
CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
FIELDS = {"path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig"}
VALUE = {"path-pattern": r"[A-Za-z0-9_\-.$/~\"'@:+&*?]{1,128}", "host-header": r"[A-Za-z0-9\-.*?]{1,128}"}
REDIRECT_DEFAULTS = {
    "Protocol": "#{protocol}",
    "Host": "#{host}",
    "Port": "#{port}",
    "Path": "/#{path}",
    "Query": "#{query}",
}

GroupExists = Callable[[str], object]
"""raises AwsError for a target group that is not there"""


def full_actions(wanted: Sequence[dict[str, Any]], group_exists: GroupExists) -> list[dict[str, Any]]:
    """One action in its full form. Raises AwsError."""
    if len(wanted) != 1:
        raise AwsError("InvalidLoadBalancerAction", "gbg_sandbox runs one action in a rule")
    action = wanted[0]
    kind = action["Type"]
    if kind not in ACTIONS:
        raise AwsError("InvalidLoadBalancerAction", f"gbg_sandbox does not run actions of type '{kind}'")
    if kind == "forward":
        return [_forward(action, group_exists)]
    if kind == "fixed-response":
        return [_fixed_response(action)]
    return [_redirect(action)]


def _forward(action: dict[str, Any], group_exists: GroupExists) -> dict[str, Any]:
    config = action.get("ForwardConfig", {})
    if config.get("TargetGroupStickinessConfig", {}).get("Enabled"):
        raise AwsError("InvalidLoadBalancerAction", "gbg_sandbox does not run target group stickiness")
    groups = [
        {"TargetGroupArn": one["TargetGroupArn"], "Weight": one.get("Weight", 1)}
        for one in config.get("TargetGroups", [])
    ] or [{"TargetGroupArn": action.get("TargetGroupArn", ""), "Weight": 1}]
    for one in groups:
        group_exists(one["TargetGroupArn"])
        if not 0 <= one["Weight"] <= 999:
            raise AwsError("ValidationError", f"Weight '{one['Weight']}' must be between 0 and 999")
    full: dict[str, Any] = {
        "Type": "forward",
        "Order": 1,
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}},
    }
    return full | {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else full


def _fixed_response(action: dict[str, Any]) -> dict[str, Any]:
    config = action.get("FixedResponseConfig")
    if config is None:
        raise AwsError(
            "InvalidLoadBalancerAction", "FixedResponseConfig is required for a fixed-response action"
        )
    if not re.fullmatch(r"[245]\d\d", config["StatusCode"]):
        raise AwsError("ValidationError", f"Status code '{config['StatusCode']}' must be 2XX, 4XX or 5XX")
    if config.get("ContentType", "text/plain") not in CONTENT_TYPES:
        raise AwsError("ValidationError", f"Content type '{config['ContentType']}' is not valid")
    return {"Type": "fixed-response", "Order": 1, "FixedResponseConfig": dict(config)}


def _redirect(action: dict[str, Any]) -> dict[str, Any]:
    config = action.get("RedirectConfig")
    if config is None:
        raise AwsError("InvalidLoadBalancerAction", "RedirectConfig is required for a redirect action")
    full = REDIRECT_DEFAULTS | config
    if full["Protocol"] not in ("#{protocol}", "HTTP"):
        raise AwsError("ValidationError", "gbg_sandbox has no HTTPS to redirect to")
    if all(full[key] == value for key, value in REDIRECT_DEFAULTS.items()):
        raise AwsError(
            "InvalidLoadBalancerAction", "The redirect configuration is not valid: it creates a loop"
        )
    if any(re.search(r"[\s'\\%]", full[key]) for key in REDIRECT_DEFAULTS):
        raise AwsError(
            "ValidationError", "A redirect's parts must not hold blanks, quotes, backslashes or '%'"
        )
    return {"Type": "redirect", "Order": 1, "RedirectConfig": full}


def full_conditions(wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conditions in their full form. Raises AwsError."""
    if not wanted:
        raise AwsError("ValidationError", "A condition must be specified")
    return [_condition(one) for one in wanted]


def _condition(condition: dict[str, Any]) -> dict[str, Any]:
    name = condition.get("Field") or next((name for name, key in FIELDS.items() if key in condition), "")
    if name not in FIELDS:
        raise AwsError(
            "ValidationError", f"gbg_sandbox does not run conditions on '{name}'; it has {', '.join(FIELDS)}"
        )
    config = condition.get(FIELDS[name], {})
    if config.get("RegexValues") or condition.get("RegexValues"):
        raise AwsError("ValidationError", "gbg_sandbox does not run regular expressions in conditions")
    values = config.get("Values") or condition.get("Values", [])
    if not values:
        raise AwsError("ValidationError", "A condition value must be specified")
    for value in values:
        if not re.fullmatch(VALUE[name], value):
            raise AwsError(
                "ValidationError", f"Condition value '{value}' contains a character that is not valid"
            )
    return {"Field": name, "Values": list(values), FIELDS[name]: {"Values": list(values)}}
