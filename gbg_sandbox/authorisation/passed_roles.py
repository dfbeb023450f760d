"""iam:PassRole: who hands a role to a service must be allowed to pass it, to that very service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

from gbg_sandbox.authorisation.requests import Check, Request
from gbg_sandbox.authorisation.resources import search

PASSED = {
    "autoscaling:PutLifecycleHook": ("RoleARN", "autoscaling.amazonaws.com"),
    "cloudformation:ContinueUpdateRollback": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:CreateChangeSet": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:CreateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:DeleteStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:RollbackStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:UpdateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "codebuild:CreateProject": ("serviceRole", "codebuild.amazonaws.com"),
    "codebuild:StartBuild": ("serviceRoleOverride", "codebuild.amazonaws.com"),
    "codebuild:UpdateProject": ("serviceRole", "codebuild.amazonaws.com"),
    "codedeploy:CreateDeploymentGroup": ("serviceRoleArn", "codedeploy.amazonaws.com"),
    "codedeploy:UpdateDeploymentGroup": ("serviceRoleArn", "codedeploy.amazonaws.com"),
    "codepipeline:CreatePipeline": (
        "[pipeline.roleArn, pipeline.stages[].actions[].roleArn][]",
        "codepipeline.amazonaws.com",
    ),
    "codepipeline:UpdatePipeline": (
        "[pipeline.roleArn, pipeline.stages[].actions[].roleArn][]",
        "codepipeline.amazonaws.com",
    ),
    "events:PutRule": ("RoleArn", "events.amazonaws.com"),
    "events:PutTargets": ("Targets[].RoleArn", "events.amazonaws.com"),
    "lambda:CreateFunction": ("Role", "lambda.amazonaws.com"),
    "lambda:UpdateFunctionConfiguration": ("Role", "lambda.amazonaws.com"),
    "logs:PutSubscriptionFilter": ("roleArn", "logs.amazonaws.com"),
    "scheduler:CreateSchedule": ("Target.RoleArn", "scheduler.amazonaws.com"),
    "scheduler:UpdateSchedule": ("Target.RoleArn", "scheduler.amazonaws.com"),
    "ssm:SendCommand": ("ServiceRoleArn", "ssm.amazonaws.com"),
    "ssm:StartAutomationExecution": ("Parameters.AutomationAssumeRole[]", "ssm.amazonaws.com"),
}
"""action → where the role's ARN stands, and the service that gets it"""

PROFILES = {
    "ec2:AssociateIamInstanceProfile": "IamInstanceProfile",
    "ec2:ReplaceIamInstanceProfileAssociation": "IamInstanceProfile",
    "autoscaling:CreateLaunchConfiguration": "IamInstanceProfile",
}


def checks(request: Request) -> list[Check]:
    if request.action in PROFILES:
        profile = request.params.get(PROFILES[request.action])
        return of_profile(request, profile) if profile else []
    if request.action == "iam:AddRoleToInstanceProfile":
        role = request.arn(f"role/{request.params['RoleName']}", "iam").replace(
            f":{request.cloud.region}:", "::"
        )
        return [passing(role, "ec2.amazonaws.com")]
    if request.action not in PASSED:
        return []
    path, service = PASSED[request.action]
    return [passing(role, service) for role in dict.fromkeys(search(path, request.params))]


def passing(role: str, service: str) -> Check:
    arn = role if role.startswith("arn:") else "*"
    return Check("iam:PassRole", arn, {"iam:passedtoservice": service})


def of_profile(request: Request, profile: dict[str, str] | str, error: str = "") -> list[Check]:
    """Launching with an instance profile passes the profile's role to EC2."""
    from gbg_sandbox.authorisation.door import door

    name = profile if isinstance(profile, str) else profile.get("Arn") or profile.get("Name") or ""
    found = door(request.cloud).directory.profile(name)
    roles = [role.arn for role in found.roles] if found else []
    keys = {"iam:passedtoservice": "ec2.amazonaws.com"}
    return [Check("iam:PassRole", role, keys, error) for role in roles]
