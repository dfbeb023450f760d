"""The failure table: what each fault must come to. docs/failures.md shows it; a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass

from gbg_lib import faults

BLUE, GREEN = "blue", "green"
MACHINE = r"i-[0-9a-f]+"
TOO_FEW = "Failed, HEALTH_CONSTRAINTS"
ALARM = "Stopped, ALARM_ACTIVE"
RIGHT = "compare the role that is named there with its template"


@dataclass(frozen=True)
class Row:
    fault: str
    failed: str
    """the stage that does not succeed; empty where all do"""
    says: tuple[str, ...]
    """patterns in the message; empty where there is none, as the release succeeds"""
    advice: str = ""
    deployment: str = ""
    """status and error code; empty where there is no deployment"""
    rollback: str = ""
    serves: str = BLUE
    pipeline: str = "Failed"
    lost: int = 0
    """requests that physics may cost, at most"""
    why: str = ""
    """why any are"""
    left: str = ""
    """why a fleet that nobody uses stays"""
    group: int = 0
    """rows of one group share a deployment, one after the other"""

    @property
    def what(self) -> str:
        return faults.CATALOGUE[self.fault].what


ROWS = (
    Row(
        "does-not-compile",
        "Build",
        (r"Build/Build failed: .*COMMAND_EXECUTION_ERROR", r"\[ERROR\] .*Health\.java:\[\d+,\d+\]", "Strnig"),
        "mend the application and push again",
    ),
    Row(
        "unit-test-fails",
        "Build",
        (r"Build/Build failed: .*COMMAND_EXECUTION_ERROR", r"\[ERROR\] .*HealthTest\.saysUpAndWhatRuns"),
        "mend the application and push again",
    ),
    Row(
        "no-war-in-artifact",
        "Deploy",
        ("HEALTH_CONSTRAINTS", rf"{MACHINE} \(Green\), Install, no script: .*ROOT\.war", "rolled back by d-"),
        "mend the hook or the application",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "hook-fails-everywhere",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Green\), BeforeInstall, scripts/prepare\.sh: .* failed with exit code 3",
            r"\[stderr\]FAILED: no licence",
            "rolled back by d-",
        ),
        "mend the hook",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "hook-fails-on-one",
        "Deploy",
        (
            "ALARM_ACTIVE",
            "alarm gbg-unhealthy-hosts",
            rf"{MACHINE} \(Green\), BeforeInstall, scripts/prepare\.sh: .* failed with exit code 4",
            r"\[stdout\]FAILED: no licence for zone us-east-1b",
        ),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "hook-hangs",
        "Deploy",
        (
            rf"{MACHINE} \(Green\), ValidateService, scripts/validate\.sh: .* to complete in 5 seconds",
            r"\[stdout\]Waiting for the other team",
        ),
        "mend the hook",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "health-check-never-passes",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts", rf"{MACHINE} \(Green\), AllowTraffic"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "health-check-flaps",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "source-image-revoked",
        "BuildGoldenAMI",
        (r"BuildGoldenAMI failed: BakeFailed: source image ami-\w+ is revoked: a planted fault",),
        "release from another image",
        group=1,
    ),
    Row(
        "bake-command-fails",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), updateSystem", "Error: no mirror answers"),
        "mend step updateSystem",
        group=1,
    ),
    Row(
        "bake-hangs",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), updateSystem: Step timed out", "Waiting for a lock"),
        "mend step updateSystem",
        group=1,
    ),
    Row(
        "builder-terminated",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), \w+: ", "ended by arn:aws:iam::123456789012:user/operator"),
        "who ended",
        group=1,
    ),
    Row(
        "function-raises",
        "BuildGoldenAMI",
        ("KeyError: 'BAKE_DOCUMENT'", "function gbg-bake-golden-ami", "Traceback|KeyError"),
        "mend the function",
        group=1,
    ),
    Row(
        "function-times-out",
        "BuildGoldenAMI",
        ("failed to return a result", "function gbg-bake-golden-ami", r"Task timed out after 2\.00 seconds"),
        "mend the function",
        group=1,
    ),
    Row(
        "pipeline-role-may-not-read-source",
        "Source",
        ("Source/Source failed", "PipelineRole", "codecommit:GetBranch"),
        RIGHT,
        group=1,
    ),
    Row(
        "pipeline-role-may-not-deploy",
        "Deploy",
        ("Deploy/Deploy failed", "PipelineRole", "codedeploy:CreateDeployment"),
        RIGHT,
        group=1,
    ),
    Row(
        "function-role-may-not-bake",
        "BuildGoldenAMI",
        ("BakeFunctionRole", "ssm:StartAutomationExecution", "function gbg-bake-golden-ami"),
        RIGHT,
        group=1,
    ),
    Row(
        "function-role-may-not-pin",
        "Deploy",
        ("PinFunctionRole", "autoscaling:UpdateAutoScalingGroup", "function gbg-pin-fleet"),
        RIGHT,
        group=1,
    ),
    Row(
        "restore-role-may-not-put-back",
        "",
        (),
        pipeline="Succeeded",
        deployment="Succeeded",
        serves=GREEN,
        group=1,
    ),
    Row(
        "bake-role-may-not-launch",
        "BuildGoldenAMI",
        (r"no machine \(builder\), launchBuilder", "BakeRole", "ec2:RunInstances"),
        RIGHT,
        group=1,
    ),
    Row(
        "bake-role-may-not-image",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), createImage", "BakeRole", "ec2:CreateImage"),
        RIGHT,
        group=1,
    ),
    Row(
        "builder-role-may-not-report",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), waitForAgent: Step timed out",),
        "mend step waitForAgent",
        group=2,
    ),
    Row(
        "build-role-may-not-log",
        "Build",
        ("Phase: PROVISIONING, Code: ACCESS_DENIED", "BuildRole", "logs:CreateLogStream"),
        RIGHT,
        group=1,
    ),
    Row(
        "build-role-may-not-store",
        "Build",
        ("Phase: UPLOAD_ARTIFACTS", "BuildRole", "s3:PutObject"),
        RIGHT,
        group=1,
    ),
    Row(
        "deploy-role-may-not-copy",
        "Deploy",
        ("DeployRole", "autoscaling:CreateAutoScalingGroup", "rolled back by d-.*: Failed"),
        RIGHT,
        deployment="Failed, AUTO_SCALING_IAM_ROLE_PERMISSIONS",
        rollback="Failed",
        group=1,
    ),
    Row(
        "deploy-role-may-not-register",
        "Deploy",
        (
            rf"{MACHINE} \(Green\), AllowTraffic, no script: IAM_ROLE_PERMISSIONS",
            "elasticloadbalancing:RegisterTargets",
            "rolled back by d-.*: Failed; the green fleet may be left",
        ),
        RIGHT,
        deployment=TOO_FEW,
        rollback="Failed",
        left="the way back needs the right that is missing, so CodeDeploy leaves green where it is",
        group=1,
    ),
    Row(
        "instance-role-may-not-fetch",
        "Deploy",
        (rf"{MACHINE} \(Green\), DownloadBundle, no script", "InstanceRole", "s3:GetObject"),
        RIGHT,
        deployment=TOO_FEW,
        rollback="Succeeded",
        group=1,
    ),
    Row(
        "artifact-missing",
        "Build",
        ("Build/Build failed: .*Phase: DOWNLOAD_SOURCE.*NoSuchKey", "arn:aws:s3:::gbg-artifacts-"),
        "read the build's log",
        group=1,
    ),
    Row(
        "alarm-while-traffic-moves",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-target-5xx: The application answers with errors", "rolled back by d-"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "connections-run-out",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-target-5xx: The application answers with errors", "rolled back by d-"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
        lost=1000,
        why="errors are what the alarm waits for",
    ),
    Row(
        "deployment-stopped",
        "Deploy",
        ("MANUAL_STOP", "stopped by arn:aws:iam::123456789012:user/operator", "rolled back by d-"),
        "ask them",
        deployment="Stopped, MANUAL_STOP",
        rollback="Succeeded",
    ),
    Row(
        "pipeline-stopped",
        "",
        (
            "its status is Stopped: stopped by arn:aws:iam::123456789012:user/operator",
            "Build/Build was Succeeded",
        ),
        "ask them",
        pipeline="Stopped",
    ),
    Row(
        "pipeline-abandoned",
        "Deploy",
        ("its status is Stopped: stopped by arn:aws:iam::123456789012:user/operator", "goes on by itself"),
        "get-deployment",
        pipeline="Stopped",
        deployment="Succeeded",
        serves=GREEN,
    ),
    Row(
        "green-dies-installing",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Green\), \w+, no script: ",
            "the machine is terminated.*; ended by arn:aws:iam::123456789012:user/operator",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
        group=2,
    ),
    Row(
        "green-dies-taking-traffic",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Green\), AllowTraffic, no script: ",
            "the machine is terminated.*; ended by arn:aws:iam::123456789012:user/operator",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
        group=2,
    ),
    Row(
        "green-dies-with-traffic",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts: Targets fail their health check", "rolled back by d-"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "blue-dies-installing",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Blue\), \w+BlockTraffic, no script: ",
            "ended by arn:aws:iam::123456789012:user/operator",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "blue-dies-before-traffic-moves",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Blue\), \w+BlockTraffic, no script: ",
            "the machine is terminated.*; ended by arn:aws:iam::123456789012:user/operator",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
        group=2,
    ),
    Row(
        "blue-dies-leaving",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Blue\), \w+BlockTraffic, no script: ",
            "ended by arn:aws:iam::123456789012:user/operator",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row("green-dies-at-last", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN, group=2),
    Row("blue-dies-at-last", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN, group=2),
    Row(
        "blue-dies-while-baking", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN, group=2
    ),
    Row(
        "blue-dies-while-building",
        "",
        (),
        pipeline="Succeeded",
        deployment="Succeeded",
        serves=GREEN,
        group=2,
    ),
    Row(
        "blue-dies-on-new-image", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN, group=2
    ),
    Row("blue-grows", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN),
    Row(
        "blue-shrinks",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Blue\), \w+BlockTraffic, no script: ",
            r"ended by AWS itself \(autoscaling\.amazonaws\.com\)",
        ),
        "who ended the machine",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "green-grows",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts: Targets fail their health check", "rolled back by d-"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
        group=1,
    ),
    Row("green-shrinks", "", (), pipeline="Succeeded", deployment="Succeeded", serves=GREEN, group=2),
)


@dataclass(frozen=True)
class OperatorRow:
    """Something that happens beside a release, and not to it."""

    what: str
    comes: str


OPERATOR_ROWS = (
    OperatorRow(
        "AWS throttles every call once.",
        "Every call is made again; the release is followed to its good end.",
    ),
    OperatorRow(
        "The credentials expire midway.",
        "The call is refused and says so; the release goes on, and new credentials follow it to its end.",
    ),
    OperatorRow(
        "The operator's process is killed.",
        "The release goes on; started again, it follows the same release and starts no second one.",
    ),
    OperatorRow(
        "The role of the push rule may not start the pipeline.",
        "No release begins, and whoever waits is told where to look. A start by hand releases the commit.",
    ),
    OperatorRow(
        "The role of the deployment group's function may not change the deployment group.",
        "The stack's update fails and names role and right; its way back needs the same right, and goes on "
        "with it. What serves is not touched.",
    ),
    OperatorRow(
        "A second release is started while one is on its way.",
        "Its bake begins when the first one is over.",
    ),
)
