"""The door of one sandbox: every call by a user or role passes here, and each refusal is told as an event.

AWS itself and the account's root user pass. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gbg_sandbox.authorisation import resource_policies, tags
from gbg_sandbox.authorisation.conditions import Value
from gbg_sandbox.authorisation.context import Keys, global_keys, lowered
from gbg_sandbox.authorisation.denial import refusal, sentence
from gbg_sandbox.authorisation.evaluator import (
    Caller,
    Decision,
    Effect,
    decide,
    evaluate_resource_policy,
)
from gbg_sandbox.authorisation.principals import Directory
from gbg_sandbox.authorisation.requests import PREFIXES, Request, needed
from gbg_sandbox.service import AwsError, Call, Principal

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)


class Door:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = weakref.ref(cloud)

    @property
    def cloud(self) -> Cloud:
        cloud = self._cloud()
        if cloud is None:
            raise RuntimeError("the sandbox of this door is gone")
        return cloud

    @cached_property
    def directory(self) -> Directory:
        self.cloud.stored("iam").get_account_summary()
        from moto.iam.models import iam_backends

        return Directory(iam_backends[self.cloud.account]["aws"])

    def principal_tags(self, principal: Principal) -> Mapping[str, str]:
        if principal.role_name:
            return tags.of_iam(self.directory.role(principal.role_name))
        return {
            tag["Key"]: tag["Value"]
            for tag in self.cloud.stored("iam").list_user_tags(UserName=principal.user_name)["Tags"]
        }

    def resource_tags(self, arn: str) -> Mapping[str, str]:
        return tags.of_resource(self.cloud, arn)

    def decide(self, principal: Principal, action: str, resource: str, keys: Mapping[str, Value]) -> Decision:
        """IAM's answer; `keys` are condition keys in lower case."""
        context = Keys(keys, self, principal, resource)
        effect, grant = Effect.IMPLICIT_DENY, None
        policy = resource_policies.of_resource(self.cloud, resource)
        if policy is not None:
            effect, grant = evaluate_resource_policy(policy, caller(principal), action, resource, context)
        return decide(self.directory.policies(principal), action, resource, context, effect, grant)

    def authorise(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Any],
        call: Call | None = None,
        error: str = "",
        asked: str = "",
    ) -> None:
        """Raises AwsError in the form of service `asked` (an IAM prefix), by default the action's own."""
        if principal.kind in ("aws", "root"):
            return
        keys = {**global_keys(principal, self.cloud.region, call), **lowered(context)}
        decision = self.decide(principal, action, resource, keys)
        if decision.allowed:
            return
        message = sentence(principal, action, resource, decision)
        self._tell(principal, action, resource, message)
        raise refusal(asked or action.partition(":")[0], error or message)

    def check_trust(self, role_arn: str, who: Principal | str, context: Mapping[str, Any]) -> None:
        """May `who` (a principal, or a service such as `codedeploy.amazonaws.com`) assume this role?"""
        name = role_arn.rpartition("/")[2]
        role = self.directory.role(name)
        policy = self.directory.trust(name) if role is not None and role.arn == role_arn else None
        if isinstance(who, str):
            allowed, speaker = self._service_may(policy, who, role_arn, context), who
        else:
            allowed, speaker = self._principal_may(policy, who, role_arn, context), who.arn
        if allowed:
            return
        message = f"User: {speaker} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        principal = who if isinstance(who, Principal) else Principal("service", who, self.cloud.account)
        self._tell(principal, "sts:AssumeRole", role_arn, message)
        raise AwsError("AccessDenied", message, 403)

    def authorise_service(self, service: str, action: str, resource: str, context: Mapping[str, Any]) -> None:
        """May an AWS service do this by the resource's own policy, as EventBridge invokes a function?"""
        policy = resource_policies.of_resource(self.cloud, resource)
        if self._service_may(policy, service, resource, context, action):
            return
        message = (
            f"{service} is not authorized to perform: {action} on resource: {resource} "
            f"because no resource-based policy allows the {action} action"
        )
        self._tell(Principal("service", service, self.cloud.account), action, resource, message)
        raise refusal(action.partition(":")[0], message)

    def _service_may(
        self,
        policy: Any,
        service: str,
        resource: str,
        context: Mapping[str, Any],
        action: str = "sts:AssumeRole",
    ) -> bool:
        if policy is None:
            return False
        keys = lowered(
            {
                "aws:SourceAccount": self.cloud.account,
                "aws:SourceOwner": self.cloud.account,
                "aws:PrincipalIsAWSService": True,
                "aws:PrincipalServiceName": service,
                "aws:SecureTransport": True,
                "aws:RequestedRegion": self.cloud.region,
                **context,
            }
        )
        effect, _ = evaluate_resource_policy(policy, Caller(service=service), action, resource, keys)
        return effect is Effect.ALLOW

    def _principal_may(
        self, policy: Any, principal: Principal, role_arn: str, context: Mapping[str, Any]
    ) -> bool:
        if policy is None:
            return False
        keys = {**global_keys(principal, self.cloud.region), **lowered(context)}
        full = Keys(keys, self, principal, role_arn)
        effect, grant = evaluate_resource_policy(policy, caller(principal), "sts:AssumeRole", role_arn, full)
        if effect is not Effect.ALLOW:
            return False
        if principal.kind in ("aws", "root"):
            return True
        policies = self.directory.policies(principal)
        return decide(policies, "sts:AssumeRole", role_arn, full, effect, grant).allowed

    def _tell(self, principal: Principal, action: str, resource: str, message: str) -> None:
        log.info("denied: %s", message)
        self.cloud.events.publish(
            "gbg.sandbox",
            "IAM Denial",
            {"principal": principal.arn, "action": action, "resource": resource, "message": message},
        )


def caller(principal: Principal) -> Caller:
    """How a resource's policy may name this principal."""
    arns = {principal.arn}
    if principal.role_name:
        arns.add(f"arn:aws:iam::{principal.account}:role/{principal.role_name}")
    return Caller(frozenset(arns), principal.account)


_doors: weakref.WeakKeyDictionary[Any, Door] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def door(cloud: Cloud) -> Door:
    with _lock:
        if cloud not in _doors:
            _doors[cloud] = Door(cloud)
        return _doors[cloud]


def changed() -> None:
    """IAM was written to: what was read of it is old."""
    with _lock:
        doors = list(_doors.values())
    for one in doors:
        one.directory.changed()


def authorise(
    cloud: Cloud,
    principal: Principal,
    action: str,
    resource: str = "*",
    context: Mapping[str, Any] | None = None,
) -> None:
    """Raise AwsError AccessDenied unless `principal` may do `action` (`codecommit:GitPush`) to `resource`."""
    door(cloud).authorise(principal, action, resource, context or {})


def authorise_service(
    cloud: Cloud, service: str, action: str, resource: str, context: Mapping[str, Any] | None = None
) -> None:
    """Raise AwsError unless the policy on `resource` lets the service in; `context` has its aws:SourceArn."""
    door(cloud).authorise_service(service, action, resource, context or {})


def check_trust(
    cloud: Cloud, role_arn: str, who: Principal | str, context: Mapping[str, Any] | None = None
) -> None:
    """Raise AwsError AccessDenied unless `who` may assume the role by its trust policy (and own policies)."""
    door(cloud).check_trust(role_arn, who, context or {})


def check_session_policies(cloud: Cloud, principal: Principal) -> None:
    """Raise AwsError unless the policies that narrow this session can be read."""
    directory = door(cloud).directory
    for arn in principal.session_policy_arns:
        if not directory.has_managed(arn):
            raise AwsError("ValidationError", f"The managed policy {arn} does not exist")
    try:
        directory.policies(principal)
    except (ValueError, TypeError, AttributeError) as error:
        raise AwsError("MalformedPolicyDocument", f"The session policy can't be read: {error}") from error


def find_role(cloud: Cloud, name: str) -> Any | None:
    """moto's record of a role (`id`, `name`, `arn`), or None."""
    return door(cloud).directory.role(name)


def _own_stack(cloud: Cloud, call: Call, params: Mapping[str, Any]) -> bool:
    """cfn-signal needs no right of its own for the stack that its instance belongs to.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-signal.html
    """
    if not call.principal.instance_id:
        return False
    arn = cloud.arn("ec2", f"instance/{call.principal.instance_id}")
    own = door(cloud).resource_tags(arn)
    stack = params.get("StackName")
    return stack in (own.get("aws:cloudformation:stack-name"), own.get("aws:cloudformation:stack-id"))


def check_request(cloud: Cloud, call: Call, service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Raise AwsError in the service's form unless the caller has every right that this request needs."""
    if call.principal.kind in ("aws", "root"):
        return
    if (service, operation) == ("cloudformation", "SignalResource") and _own_stack(cloud, call, params):
        return
    request = Request(cloud, service, operation, params)
    asked = PREFIXES.get(service, service)
    for check in needed(request):
        door(cloud).authorise(
            call.principal, check.action, check.resource, check.keys, call, check.error, asked
        )
