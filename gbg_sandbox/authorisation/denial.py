"""AWS's words for a refusal.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

from gbg_sandbox.authorisation.evaluator import Decision, Effect
from gbg_sandbox.service import AwsError, Principal

QUERY = {"autoscaling", "cloudformation", "cloudwatch", "elasticloadbalancing", "iam", "s3", "sqs", "sts"}
"""services whose error is AccessDenied with status 403"""
REST_JSON = {"lambda", "xray", "inspector2"}
NO_STAR = {"autoscaling", "cloudwatch", "ec2", "elasticloadbalancing"}
"""services that don't say `on resource: *`"""


def sentence(principal: Principal, action: str, resource: str, decision: Decision) -> str:
    prefix = action.partition(":")[0]
    target = f'"{resource}"' if prefix == "s3" and resource != "*" else resource
    on = "" if resource == "*" and prefix in NO_STAR else f" on resource: {target}"
    if decision.effect is Effect.EXPLICIT_DENY:
        article = "an" if decision.policy_kind[0] in "aeiou" else "a"
        why = f"with an explicit deny in {article} {decision.policy_kind}"
    else:
        why = f"because no {decision.policy_kind} allows the {action} action"
    return f"User: {principal.arn} is not authorized to perform: {action}{on} {why}"


def refusal(service_prefix: str, message: str) -> AwsError:
    """The refusal in the form of the service that was asked."""
    if service_prefix == "ec2":
        return AwsError(
            "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403
        )
    if service_prefix == "sns":
        return AwsError("AuthorizationError", message, 403)
    if service_prefix in QUERY:
        return AwsError("AccessDenied", message, 403)
    return AwsError("AccessDeniedException", message, 403 if service_prefix in REST_JSON else 400)
