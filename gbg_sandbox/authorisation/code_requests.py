"""Code* operations that name their resource by something that belongs to it: a build, a deployment."""

from __future__ import annotations

from dataclasses import replace

from gbg_sandbox.authorisation.requests import Check, Request, Rule, by_reference


def _builds(request: Request) -> list[Check]:
    """Builds are checked against their project; a build's id is `project:uuid`."""
    found = request.params.get("ids") or [request.params.get("id", "")]
    projects = {str(one).rpartition("build/")[2].partition(":")[0] for one in found}
    return [Check(request.action, request.arn(f"project/{project}")) for project in sorted(projects)]


def _deployments(request: Request) -> list[Check]:
    """Deployments are checked against their deployment group."""
    ids = request.params.get("deploymentIds") or [request.params.get("deploymentId", "")]
    groups = {request.cloud.service("codedeploy").group_of(str(one)) for one in ids}
    named = [request.arn(f"deploymentgroup:{group}") for group in sorted(group for group in groups if group)]
    return [Check(request.action, arn) for arn in named] or [Check(request.action)]


def _create_deployment(request: Request) -> list[Check]:
    group = f"{request.params['applicationName']}/{request.params.get('deploymentGroupName', '')}"
    return [Check(request.action, request.arn(f"deploymentgroup:{group}"))]


def _on_branch(request: Request) -> list[Check]:
    """What a push tells too, so that one policy protects a branch from both.

    https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html
    """
    references = [f"refs/heads/{request.params['branchName']}"]
    return [
        replace(check, keys={**check.keys, "codecommit:references": references})
        for check in by_reference(request)
    ]


ON_BRANCH = ("CreateBranch", "CreateCommit", "DeleteBranch", "DeleteFile", "PutFile")
BUILDS = ("BatchGetBuilds", "BatchDeleteBuilds", "StopBuild", "RetryBuild")
DEPLOYMENTS = (
    "BatchGetDeploymentInstances",
    "BatchGetDeploymentTargets",
    "BatchGetDeployments",
    "ContinueDeployment",
    "GetDeployment",
    "GetDeploymentInstance",
    "GetDeploymentTarget",
    "ListDeploymentInstances",
    "ListDeploymentTargets",
    "SkipWaitTimeForInstanceTermination",
    "StopDeployment",
)
RULES: dict[str, Rule] = {
    **{f"codebuild:{operation}": _builds for operation in BUILDS},
    **{f"codedeploy:{operation}": _deployments for operation in DEPLOYMENTS},
    **{f"codecommit:{operation}": _on_branch for operation in ON_BRANCH},
    "codedeploy:CreateDeployment": _create_deployment,
}
