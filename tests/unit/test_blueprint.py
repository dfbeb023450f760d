"""The blueprint as AWS gets it: what must hold of both templates, the bake document and the hooks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml
from cfnlint.api import lint

from gbg_lib.blueprint import APPLICATION, BODY_LIMIT, template

TEXTS = {part: template(part) for part in (1, 3)}
TEMPLATES: dict[int, dict[str, Any]] = {part: json.loads(text) for part, text in TEXTS.items()}
RESOURCES = {(part, name): it for part, found in TEMPLATES.items() for name, it in found["Resources"].items()}
PART1 = TEMPLATES[1]["Resources"]
PART3 = TEMPLATES[3]["Resources"]
BAKE = PART1["BakeDocument"]["Properties"]["Content"]
STEPS = {step["name"]: step for step in BAKE["mainSteps"]}
CLEANING_UP = ["findBuilder", "terminateFailedBuilder", "failBake"]

ONLY_ON_EVERYTHING = {
    "autoscaling:DescribeAutoScalingGroups",
    "codepipeline:PutJobFailureResult",
    "codepipeline:PutJobSuccessResult",
    "ec2:Describe*",
    "logs:DescribeLogGroups",
    "ssm:DescribeInstanceInformation",
    "ssm:ListCommand*",
}
"""actions that IAM knows no narrower resource for"""


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: it["Properties"] for (_, name), it in RESOURCES.items() if it["Type"] == kind}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every identity policy, with the name of its resource."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, managed in of_type("AWS::IAM::ManagedPolicy").items():
        for statement in managed["PolicyDocument"]["Statement"]:
            yield name, statement


def commands(step: str) -> str:
    """A runCommand step's script as the machine gets it, with CloudFormation's parts left in."""
    given = STEPS[step]["inputs"]["Parameters"]["commands"]
    return "\n".join(one if isinstance(one, str) else one["Fn::Sub"] for one in given)


def user_data() -> str:
    text = PART1["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("part", TEXTS)
def test_cfn_lint_has_nothing_to_say(part: int) -> None:
    assert [str(match) for match in lint(TEXTS[part])] == []


@pytest.mark.parametrize("part", TEXTS)
def test_template_fits_into_a_request(part: int) -> None:
    assert len(TEXTS[part].encode()) <= BODY_LIMIT


def test_functions_are_put_in() -> None:
    for name, function in of_type("AWS::Lambda::Function").items():
        code = function["Code"]["ZipFile"]
        assert "def handler(event" in code, name
        assert "# include:" not in code, name
        compile(code, name, "exec")


def test_every_taggable_resource_carries_the_deployment() -> None:
    for (_, name), it in RESOURCES.items():
        tags = it["Properties"].get("Tags", [])
        pairs = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
        if tags:
            assert pairs["gbg:deployment"] == {"Ref": "Deployment"}, name
    untagged = {it["Type"] for it in RESOURCES.values() if "Tags" not in it["Properties"]}
    assert untagged == {
        "AWS::AutoScaling::ScalingPolicy",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::Route",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::Events::Rule",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "Custom::DeploymentGroup",
    }


def test_no_name_is_fixed_so_that_copies_live_side_by_side() -> None:
    for (_, resource), it in RESOURCES.items():
        for key, value in it["Properties"].items():
            if key.endswith("Name") and key != "MetricName":
                assert isinstance(value, dict), f"{resource}.{key} is always {value}"


@pytest.mark.parametrize("output", sorted(set(TEMPLATES[3]["Parameters"]) - {"Branch", "LogRetentionDays"}))
def test_part_3_takes_what_part_1_gives(output: str) -> None:
    assert output in TEMPLATES[1]["Outputs"]
    assert "Default" not in TEMPLATES[3]["Parameters"][output]


class TestAccess:
    def test_only_the_listed_actions_are_allowed_on_everything(self) -> None:
        for name, statement in statements():
            if "*" in listed(statement["Resource"]):
                for action in listed(statement["Action"]):
                    assert any(fnmatch(action, known) for known in ONLY_ON_EVERYTHING), f"{name}: {action}"

    def test_no_policy_allows_actions_by_wildcard(self) -> None:
        for name, statement in statements():
            assert statement["Effect"] == "Allow"
            assert not [action for action in listed(statement["Action"]) if "*" in action], name

    def test_a_role_is_passed_by_its_arn_and_to_one_service(self) -> None:
        passing = [statement for _, statement in statements() if statement["Action"] == "iam:PassRole"]
        assert len(passing) == 4
        for statement in passing:
            assert statement["Resource"] != "*"
            assert statement["Condition"]["StringEquals"]["iam:PassedToService"].endswith(".amazonaws.com")

    def test_codedeploy_may_launch_green_from_the_template(self) -> None:
        role = PART1["DeployRole"]["Properties"]["ManagedPolicyArns"]
        assert {"Ref": "LaunchPolicy"} in role
        allowed = {
            action for name, it in statements() if name == "LaunchPolicy" for action in listed(it["Action"])
        }
        assert allowed == {"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"}

    @pytest.mark.parametrize("role", ["PinFunctionRole", "RestoreFunctionRole"])
    def test_who_pins_a_group_may_launch_from_the_template(self, role: str) -> None:
        assert PART3[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": "LaunchPolicyArn"}]

    def test_no_function_may_make_log_groups_that_outlive_the_stack(self) -> None:
        actions = {action for _, statement in statements() for action in listed(statement["Action"])}
        assert "logs:CreateLogGroup" not in actions
        for function in of_type("AWS::Lambda::Function").values():
            assert function["LoggingConfig"]["LogGroup"]["Ref"] in {**PART1, **PART3}

    def test_automation_and_pipeline_roles_are_for_this_account_only(self) -> None:
        for role in (PART1["BakeRole"], PART3["PipelineRole"]):
            (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
            assert "aws:SourceArn" in trust["Condition"]["ArnLike"]

    def test_an_instance_reads_revisions_from_the_bucket_that_part_3_makes(self) -> None:
        bucket = TEMPLATES[1]["Outputs"]["ArtifactBucketName"]["Value"]["Fn::Sub"]
        for name in ("InstanceRole", "BuildRole"):
            assert f":s3:::{bucket}/*" in json.dumps(PART1[name])


class TestFleet:
    def test_there_is_no_launch_configuration(self) -> None:
        assert of_type("AWS::AutoScaling::LaunchConfiguration") == {}
        assert "LaunchConfigurationName" not in TEXTS[1] + TEXTS[3]

    def test_instances_need_imdsv2_and_have_encrypted_volumes(self) -> None:
        for launched in (
            PART1["LaunchTemplate"]["Properties"]["LaunchTemplateData"],
            STEPS["launchBuilder"]["inputs"],
        ):
            assert launched["MetadataOptions"]["HttpTokens"] == "required"
            assert launched["MetadataOptions"]["HttpPutResponseHopLimit"] in (1, 2)
            assert all(device["Ebs"]["Encrypted"] for device in launched["BlockDeviceMappings"])

    def test_the_group_is_pinned_to_a_numbered_version(self) -> None:
        version = PART1["BlueGroup"]["Properties"]["LaunchTemplate"]["Version"]
        latest = {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]}
        assert version == {"Fn::If": ["FirstFleet", latest, {"Ref": "FleetTemplateVersion"}]}

    def test_user_data_signals_the_resource_that_waits_for_it(self) -> None:
        (resource,) = re.findall(r"--resource (\w+)", user_data())
        assert "ResourceSignal" in PART1[resource]["CreationPolicy"]
        assert user_data().index("trap ") < user_data().index("dnf install")

    def test_user_data_leaves_a_golden_ami_alone(self) -> None:
        assert user_data().index("/etc/golden-ami") < user_data().index("dnf install")
        assert "> /etc/golden-ami" in commands("harden")

    def test_the_agent_of_the_first_fleet_starts_last(self) -> None:
        assert user_data().index("/install auto") > user_data().index("localhost:8080/health")

    def test_alarms_outlive_every_fleet(self) -> None:
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
            dimensions = {dimension["Name"] for dimension in alarm["Dimensions"]}
            assert "AutoScalingGroupName" not in dimensions, name
            assert alarm["TreatMissingData"] == "notBreaching", name

    def test_draining_takes_half_a_minute_and_health_is_asked_of_the_application(self) -> None:
        group = PART1["TargetGroup"]["Properties"]
        assert group["TargetType"] == "instance"
        assert group["HealthCheckPath"] == "/health"
        assert {"Key": "deregistration_delay.timeout_seconds", "Value": "30"} in group[
            "TargetGroupAttributes"
        ]


class TestBake:
    def test_the_document_is_replaced_in_place(self) -> None:
        assert PART1["BakeDocument"]["Properties"]["UpdateMethod"] == "NewVersion"
        assert BAKE["schemaVersion"] == "0.3"

    def test_every_step_is_critical(self) -> None:
        assert [name for name, step in STEPS.items() if step.get("isCritical") is not True] == []

    def test_no_failure_leaks_the_builder(self) -> None:
        order = list(STEPS)
        until = order.index("terminateBuilder") + 1
        for name in order[:until]:
            assert STEPS[name]["onFailure"] == "step:findBuilder", name
            assert STEPS[name]["onCancel"] == "step:findBuilder", name

    def test_after_a_failure_the_builder_goes_and_the_bake_fails(self) -> None:
        order = list(STEPS)
        assert order[-3:] == CLEANING_UP
        assert STEPS["putParameter"]["isEnd"] and STEPS["failBake"]["isEnd"]
        for name in CLEANING_UP[:-1]:
            assert STEPS[name]["onFailure"] == "step:failBake"
            assert STEPS[name]["maxAttempts"] == 3
            assert "isEnd" not in STEPS[name]
        last = STEPS["failBake"]
        assert last["action"] == "aws:assertAwsResourceProperty"
        assert last["inputs"]["AutomationExecutionId"] == "{{ automation:EXECUTION_ID }}"
        assert last["inputs"]["DesiredValues"] == ["Success"]

    def test_the_failed_builder_is_found_by_the_tag_it_was_launched_with(self) -> None:
        (tags,) = [
            specification["Tags"]
            for specification in STEPS["launchBuilder"]["inputs"]["TagSpecifications"]
            if specification["ResourceType"] == "instance"
        ]
        mark = next(tag for tag in tags if tag["Key"] == "gbg:bake")
        (by_tag, _) = STEPS["findBuilder"]["inputs"]["Filters"]
        assert by_tag == {"Name": f"tag:{mark['Key']}", "Values": [mark["Value"]]}

    def test_no_step_forbids_being_cancelled_where_aws_does(self) -> None:
        forbidden = {
            "approve",
            "copyImage",
            "createImage",
            "createStack",
            "createTags",
            "pause",
            "runInstances",
            "sleep",
        }
        for name, step in STEPS.items():
            assert not ("onCancel" in step and step["action"].removeprefix("aws:") in forbidden), name

    def test_launch_and_image_are_the_same_however_often_they_are_asked_for(self) -> None:
        assert STEPS["launchBuilder"]["inputs"]["ClientToken"] == "{{ automation:EXECUTION_ID }}"
        assert "{{ automation:EXECUTION_ID }}" in STEPS["createImage"]["inputs"]["Name"]["Fn::Sub"]

    def test_image_and_snapshot_are_tagged_alike(self) -> None:
        specifications = STEPS["createImage"]["inputs"]["TagSpecifications"]
        assert [one["ResourceType"] for one in specifications] == ["image", "snapshot"]
        assert specifications[0]["Tags"] == specifications[1]["Tags"]
        assert {"gbg:source-ami", "gbg:os-release", "gbg:packages", "gbg:commit"} <= {
            tag["Key"] for tag in specifications[0]["Tags"]
        }

    def test_parameter_store_is_read_only_as_a_parameters_default(self) -> None:
        assert "{{ssm:" not in json.dumps(BAKE["mainSteps"])
        assert BAKE["parameters"]["SourceAmiId"]["default"] == {"Fn::Sub": "{{ssm:${SourceAmi}}}"}

    def test_the_operating_system_is_brought_to_an_explicit_release(self) -> None:
        assert "dnf upgrade -y --releasever={{ OsRelease }}" in commands("updateSystem")
        assert "Default" not in TEMPLATES[1]["Parameters"]["OsRelease"]
        assert "latest" not in commands("updateSystem")

    def test_clean_up_is_the_last_command_and_spares_the_channel_it_reports_through(self) -> None:
        last = [name for name, step in STEPS.items() if step["action"] == "aws:runCommand"][-1]
        assert last == "cleanUp"
        assert "/var/lib/amazon/ssm" not in commands("cleanUp")
        for gone in (
            "/etc/ssh/ssh_host_*",
            "authorized_keys",
            "/etc/machine-id",
            "deployment-root",
            "cloud-init clean",
        ):
            assert gone in commands("cleanUp")

    def test_nothing_that_ended_is_baked(self) -> None:
        text = json.dumps(BAKE)
        for dead in ("awslogs", "awsagent", "amzn2", "python2"):
            assert dead not in text

    def test_the_bakes_outputs_carry_the_image(self) -> None:
        assert BAKE["outputs"] == ["createImage.ImageId", "fingerprint.Output"]
        assert STEPS["createImage"]["outputs"][0]["Name"] == "ImageId"

    @pytest.mark.parametrize("step", [name for name, it in STEPS.items() if it["action"] == "aws:runCommand"])
    def test_scripts_are_shell(self, step: str) -> None:
        subprocess.run(["bash", "-n"], input=commands(step), text=True, check=True)


class TestRelease:
    def test_the_pipeline_queues_and_nothing_polls(self) -> None:
        pipeline = PART3["Pipeline"]["Properties"]
        assert (pipeline["PipelineType"], pipeline["ExecutionMode"]) == ("V2", "QUEUED")
        source = pipeline["Stages"][0]["Actions"][0]["Configuration"]
        assert source["PollForSourceChanges"] == "false"
        assert [stage["Name"] for stage in pipeline["Stages"]] == [
            "Source",
            "BuildGoldenAMI",
            "Build",
            "Deploy",
        ]

    def test_the_action_gets_the_release_it_works_for(self) -> None:
        given = PART3["Pipeline"]["Properties"]["Stages"][1]["Actions"][0]["Configuration"]["UserParameters"]
        assert json.loads(given) == {
            "release": "#{codepipeline.PipelineExecutionId}",
            "commit": "#{Source.CommitId}",
        }

    def test_every_bad_end_brings_the_fleet_back(self) -> None:
        pattern = PART3["ReleaseEndedBadly"]["Properties"]["EventPattern"]
        assert set(pattern["detail"]["state"]) == {"FAILED", "STOPPED", "CANCELED", "SUPERSEDED"}

    def test_artifacts_are_versioned_encrypted_private_and_stay(self) -> None:
        bucket = PART3["ArtifactBucket"]["Properties"]
        assert bucket["VersioningConfiguration"]["Status"] == "Enabled"
        assert bucket["BucketEncryption"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        assert "ExpirationInDays" not in rule
        (deny,) = PART3["ArtifactBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

    def test_cloudformations_own_deployment_group_is_not_used(self) -> None:
        assert of_type("AWS::CodeDeploy::DeploymentGroup") == {}
        assert PART1["DeploymentGroup"]["DependsOn"] == "Listener"

    def test_hooks_exist_for_known_events_and_are_shell(self) -> None:
        spec = yaml.safe_load((APPLICATION / "appspec.yml").read_text())
        assert (spec["version"], spec["os"]) == (0.0, "linux")
        assert "overwrite" not in json.dumps(spec)
        green = ["ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]
        assert list(spec["hooks"]) == green
        for hooks in spec["hooks"].values():
            for hook in hooks:
                script = APPLICATION / hook["location"]
                assert script.stat().st_mode & 0o111
                subprocess.run(["bash", "-n", str(script)], check=True)

    def test_every_hook_prints_its_verdict(self) -> None:
        for script in (APPLICATION / "scripts").iterdir():
            assert re.search(r'^echo "(OK|FAILED): ', script.read_text(), re.MULTILINE), script.name

    def test_the_build_hands_over_what_the_deployment_needs(self) -> None:
        build = yaml.safe_load((APPLICATION / "buildspec.yml").read_text())
        assert build["version"] == 0.2
        assert {"ROOT.war", "commit", "release", "appspec.yml", "scripts/*"} == set(
            build["artifacts"]["files"]
        )
        assert "CODEBUILD_RESOLVED_SOURCE_VERSION" in build["phases"]["build"]["commands"][0]
