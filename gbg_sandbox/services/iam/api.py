"""IAM: moto keeps users, roles and policies, `gbg_sandbox.authorisation` enforces them."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.credentials import Credential
from gbg_sandbox.service import AwsError, Call, Principal, Service, runs, stored

OPERATOR = "operator"
ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


class Iam(Service):
    name = "iam"
    forwards = frozenset(
        {
            *("GetUser", "ListUsers", "DeleteUser", "TagUser", "UntagUser", "ListUserTags"),
            *(
                "CreateGroup",
                "GetGroup",
                "ListGroups",
                "DeleteGroup",
                "AddUserToGroup",
                "RemoveUserFromGroup",
            ),
            *("ListGroupsForUser", "ListAccessKeys"),
            *("CreateRole", "GetRole", "ListRoles", "UpdateRole", "UpdateRoleDescription", "DeleteRole"),
            *("UpdateAssumeRolePolicy", "TagRole", "UntagRole", "ListRoleTags", "CreateServiceLinkedRole"),
            *("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
            *("PutRolePolicy", "GetRolePolicy", "ListRolePolicies", "DeleteRolePolicy"),
            *("PutUserPolicy", "GetUserPolicy", "ListUserPolicies", "DeleteUserPolicy"),
            *("PutGroupPolicy", "GetGroupPolicy", "ListGroupPolicies", "DeleteGroupPolicy"),
            *("AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies"),
            *("AttachUserPolicy", "DetachUserPolicy", "ListAttachedUserPolicies"),
            *("AttachGroupPolicy", "DetachGroupPolicy", "ListAttachedGroupPolicies"),
            *("CreatePolicy", "GetPolicy", "ListPolicies", "DeletePolicy", "ListEntitiesForPolicy"),
            *("CreatePolicyVersion", "GetPolicyVersion", "ListPolicyVersions", "DeletePolicyVersion"),
            *("SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy", "ListPolicyTags"),
            *("CreateInstanceProfile", "GetInstanceProfile", "ListInstanceProfiles", "DeleteInstanceProfile"),
            *("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", "ListInstanceProfilesForRole"),
            *("TagInstanceProfile", "UntagInstanceProfile"),
            *("ListAccountAliases", "GetAccountSummary", "GetAccountAuthorizationDetails"),
        }
    )

    enforced = frozenset(
        {
            *("DeleteUser", "TagUser", "UntagUser", "AddUserToGroup", "RemoveUserFromGroup", "DeleteGroup"),
            *("CreateRole", "DeleteRole", "UpdateRole", "UpdateAssumeRolePolicy", "TagRole", "UntagRole"),
            *("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
            *(f"{verb}{kind}Policy" for verb in ("Put", "Delete") for kind in ("Role", "User", "Group")),
            *(f"{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("Role", "User", "Group")),
            *("CreatePolicy", "DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion"),
            *("SetDefaultPolicyVersion", "CreateInstanceProfile", "DeleteInstanceProfile"),
            *("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"),
        }
    )

    @runs
    def create_user(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "PermissionsBoundary" in params:
            raise AwsError("InvalidInput", "gbg_sandbox has permissions boundaries of roles, not of users")
        return self._stored("create_user", **params)

    @runs
    def create_access_key(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        user = params.get("UserName") or call.principal.user_name
        made = self._stored("create_access_key", UserName=user)
        key = made["AccessKey"]
        self.cloud.credentials.keep(
            Credential(key["AccessKeyId"], key["SecretAccessKey"], self._principal(user))
        )
        return made

    @runs
    def delete_access_key(self, call: Call, params: dict[str, Any]) -> None:
        user = params.get("UserName") or call.principal.user_name
        self._stored("delete_access_key", UserName=user, AccessKeyId=params["AccessKeyId"])
        self.cloud.credentials.revoke(params["AccessKeyId"])

    @stored
    def list_instance_profile_tags(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """moto keeps them and has no operation to list them."""
        name = params["InstanceProfileName"]
        found = self._stored("get_instance_profile", InstanceProfileName=name)["InstanceProfile"]
        return {"Tags": found.get("Tags", []), "IsTruncated": False}

    def operator(self) -> Credential:
        """The person at this machine: an administrator with keys of their own."""
        stored = self.cloud.stored("iam")
        stored.create_user(UserName=OPERATOR)
        stored.attach_user_policy(UserName=OPERATOR, PolicyArn=ADMINISTRATOR_POLICY)
        return self.cloud.credentials.issue(self._principal(OPERATOR))

    def _principal(self, user: str) -> Principal:
        account = self.cloud.account
        return Principal(
            kind="user", arn=f"arn:aws:iam::{account}:user/{user}", account=account, user_name=user
        )


SERVICE = Iam
