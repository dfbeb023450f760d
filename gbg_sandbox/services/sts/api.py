"""STS: who am I, and temporary keys of a role. Own, because every key of the sandbox is issued here."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.authorisation import check_session_policies, check_trust, find_role
from gbg_sandbox.credentials import Credential
from gbg_sandbox.service import AwsError, Call, Principal, Service, runs

DEFAULT_SESSION = "gbg-sandbox"
DEFAULT_DURATION_SECONDS = 3600
"""the longest session of a role that says nothing else"""
CHAINED_SECONDS = 3600
"""the longest session of a role that another role assumes"""
NOT_TAKEN = ("Tags", "TransitiveTagKeys", "SourceIdentity", "SerialNumber", "TokenCode", "ProvidedContexts")


class Sts(Service):
    name = "sts"

    @runs
    def get_caller_identity(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        principal = call.principal
        return {"Account": principal.account, "Arn": principal.arn, "UserId": self._user_id(principal)}

    @runs
    def assume_role(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        for member in NOT_TAKEN:
            if member in params:
                raise AwsError("ValidationError", f"gbg_sandbox does not take AssumeRole's {member}")
        context = {"sts:ExternalId": params["ExternalId"]} if "ExternalId" in params else {}
        role = self._role(params["RoleArn"])
        check_trust(self.cloud, params["RoleArn"], call.principal, context)
        seconds = params.get("DurationSeconds", 3600)
        _check_duration(seconds, role, chained=call.principal.kind == "role")
        session = self._session(
            role,
            params["RoleSessionName"],
            policy=params.get("Policy", ""),
            policy_arns=tuple(one["arn"] for one in params.get("PolicyArns", [])),
        )
        check_session_policies(self.cloud, session)
        issued = self.cloud.credentials.issue(session, real_seconds=seconds)
        return {
            "Credentials": {
                "AccessKeyId": issued.access_key,
                "SecretAccessKey": issued.secret_key,
                "SessionToken": issued.token,
                "Expiration": issued.expires,
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{session.session_name}",
                "Arn": session.arn,
            },
        }

    def assume_for_service(
        self,
        role_arn: str,
        *,
        acting: str,
        session: str,
        source_arn: str,
        real_seconds: float,
        instance_id: str = "",
    ) -> Credential:
        """Keys with which the service `acting` works under a role. Raises botocore's ClientError."""
        context = {"aws:SourceAccount": self.cloud.account}
        if source_arn:
            context["aws:SourceArn"] = source_arn
        try:
            role = self._role(role_arn)
            check_trust(self.cloud, role_arn, acting, context)
        except AwsError as error:
            raise ClientError(
                {"Error": {"Code": error.code, "Message": error.message}}, "AssumeRole"
            ) from error
        principal = self._session(role, session or DEFAULT_SESSION, service=acting, instance_id=instance_id)
        return self.cloud.credentials.issue(principal, real_seconds=real_seconds)

    def _role(self, role_arn: str) -> Any:
        role = find_role(self.cloud, role_arn.rpartition("/")[2])
        if role is None:
            raise AwsError("AccessDenied", f"there is no role {role_arn} to assume", 403)
        return role

    def _session(
        self,
        role: Any,
        session: str,
        *,
        policy: str = "",
        policy_arns: tuple[str, ...] = (),
        service: str = "",
        instance_id: str = "",
    ) -> Principal:
        name = role.name
        return Principal(
            kind="role",
            arn=f"arn:aws:sts::{self.cloud.account}:assumed-role/{name}/{session}",
            account=self.cloud.account,
            role_name=name,
            session_name=session,
            session_policy=policy,
            session_policy_arns=policy_arns,
            service=service,
            instance_id=instance_id,
        )

    def _user_id(self, principal: Principal) -> str:
        stored = self.cloud.stored("iam")
        if principal.kind == "user":
            return str(stored.get_user(UserName=principal.user_name)["User"]["UserId"])
        if principal.kind == "role":
            return f"{self._role(principal.role_name).id}:{principal.session_name}"
        return principal.account


def _check_duration(seconds: int, role: Any, *, chained: bool) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    if seconds > int(role.max_session_duration or DEFAULT_DURATION_SECONDS):
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    if chained and seconds > CHAINED_SECONDS:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
            "by role chaining",
        )


SERVICE = Sts
