"""Every resource type comes about, changes and goes through the public APIs, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.stack_steps import Steps

NETWORK = """
Parameters:
  Mark: {Type: String, Default: first}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.7.0.0/16
      EnableDnsHostnames: true
      Tags: [{Key: mark, Value: !Ref Mark}]
  Gateway: {Type: AWS::EC2::InternetGateway, Properties: {Tags: [{Key: mark, Value: !Ref Mark}]}}
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      AvailabilityZone: !Select [0, !GetAZs ""]
      CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
      MapPublicIpOnLaunch: true
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Route:
    Type: AWS::EC2::Route
    DependsOn: Attachment
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}
  Association:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {RouteTableId: !Ref Table, SubnetId: !Ref Subnet}
  Front:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: front
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0, Description: !Ref Mark}
  Back:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: back
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: !GetAtt Front.GroupId}
      SecurityGroupEgress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]
  More:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !Ref Back, IpProtocol: tcp, FromPort: "22", ToPort: "22", CidrIp: 10.7.0.0/16}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        InstanceType: t3.small
        MetadataOptions: {HttpTokens: required}
        TagSpecifications: [{ResourceType: instance, Tags: [{Key: mark, Value: !Ref Mark}]}]
Outputs:
  Version: {Value: !GetAtt Template.LatestVersionNumber}
"""
ACCOUNT = """
Parameters:
  Mark: {Type: String, Default: first}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [!Ref Managed, arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore]
      Policies:
        - PolicyName: !Ref Mark
          PolicyDocument:
            Version: 2012-10-17
            Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]
      Tags: [{Key: mark, Value: !Ref Mark}]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: 2012-10-17
        Statement: [{Sid: !Ref Mark, Effect: Allow, Action: s3:ListBucket, Resource: "*"}]
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: !Sub "${Mark}-inline"
      Roles: [!Ref Role]
      PolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Action: logs:PutLogEvents, Resource: !GetAtt Logs.Arn}]
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Topic: {Type: AWS::SNS::Topic, Properties: {Tags: [{Key: mark, Value: !Ref Mark}]}}
  TopicPolicy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - Sid: !Ref Mark
            Effect: Allow
            Principal: {Service: cloudwatch.amazonaws.com}
            Action: sns:Publish
            Resource: !Ref Topic
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /resources/note, Value: !Ref Mark, Tags: {mark: !Ref Mark}}
  Document:
    Type: AWS::SSM::Document
    Properties:
      DocumentType: Automation
      DocumentFormat: YAML
      UpdateMethod: NewVersion
      Content:
        schemaVersion: "0.3"
        description: !Ref Mark
        mainSteps: [{name: rest, action: "aws:sleep", inputs: {Duration: PT1S}}]
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 7, Tags: [{Key: mark, Value: !Ref Mark}]}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: !Ref Mark
      Namespace: AWS/ApplicationELB
      MetricName: HTTPCode_Target_5XX_Count
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 5
      ComparisonOperator: GreaterThanOrEqualToThreshold
      AlarmActions: [!Ref Topic]
      Tags: [{Key: mark, Value: !Ref Mark}]
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Description: !Ref Mark
      EventPattern: {source: [aws.codecommit]}
      Targets: [{Id: topic, Arn: !Ref Topic}]
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]
      PublicAccessBlockConfiguration:
        {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
      LifecycleConfiguration:
        Rules: [{Id: old, Status: Enabled, NoncurrentVersionExpiration: {NoncurrentDays: 30}}]
      Tags: [{Key: mark, Value: !Ref Mark}]
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - Sid: !Ref Mark
            Effect: Deny
            Principal: "*"
            Action: s3:*
            Resource: !Sub "${Bucket.Arn}/*"
            Condition: {Bool: {"aws:SecureTransport": false}}
"""
TOOLS = """
Parameters:
  Mark: {Type: String, Default: first}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal:
              Service: [codebuild.amazonaws.com, codepipeline.amazonaws.com, codedeploy.amazonaws.com]
            Action: sts:AssumeRole
  Bucket: {Type: AWS::S3::Bucket, Properties: {VersioningConfiguration: {Status: Enabled}}}
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: tools-app
      RepositoryDescription: !Ref Mark
      Tags: [{Key: mark, Value: !Ref Mark}]
  Build:
    Type: AWS::CodeBuild::Project
    Properties:
      Description: !Ref Mark
      ServiceRole: !GetAtt Role.Arn
      Source: {Type: CODEPIPELINE}
      Artifacts: {Type: CODEPIPELINE}
      Environment:
        Type: LINUX_CONTAINER
        ComputeType: BUILD_GENERAL1_SMALL
        Image: aws/codebuild/amazonlinux-x86_64-standard:5.0
        EnvironmentVariables: [{Name: MARK, Value: !Ref Mark}]
      Tags: [{Key: mark, Value: !Ref Mark}]
  Application:
    Type: AWS::CodeDeploy::Application
    Properties: {ComputePlatform: Server, Tags: [{Key: mark, Value: !Ref Mark}]}
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !GetAtt Role.Arn
      PipelineType: V2
      ExecutionMode: QUEUED
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: "1"}
              Configuration:
                RepositoryName: !GetAtt Repository.Name
                BranchName: !Ref Mark
                PollForSourceChanges: false
              OutputArtifacts: [{Name: source}]
        - Name: Build
          Actions:
            - Name: Build
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: "1"}
              Configuration: {ProjectName: !Ref Build}
              InputArtifacts: [{Name: source}]
      Tags: [{Key: mark, Value: !Ref Mark}]
"""


def leftovers(cloud: Cloud) -> dict[str, list[Any]]:
    """Everything in the account that these templates could have left."""
    ec2, iam = cloud.stored("ec2"), cloud.stored("iam")
    calls: dict[str, Callable[[], list[Any]]] = {
        "vpcs": lambda: [v for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]],
        "gateways": lambda: ec2.describe_internet_gateways()["InternetGateways"],
        "templates": lambda: cloud.client("ec2").describe_launch_templates()["LaunchTemplates"],
        "roles": lambda: iam.list_roles()["Roles"],
        "profiles": lambda: iam.list_instance_profiles()["InstanceProfiles"],
        "policies": lambda: iam.list_policies(Scope="Local")["Policies"],
        "topics": lambda: cloud.client("sns").list_topics()["Topics"],
        "logs": lambda: cloud.client("logs").describe_log_groups()["logGroups"],
        "alarms": lambda: cloud.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "rules": lambda: cloud.client("events").list_rules()["Rules"],
        "buckets": lambda: cloud.client("s3").list_buckets()["Buckets"],
        "repositories": lambda: cloud.client("codecommit").list_repositories()["repositories"],
        "projects": lambda: cloud.client("codebuild").list_projects()["projects"],
        "applications": lambda: cloud.client("codedeploy").list_applications()["applications"],
        "pipelines": lambda: cloud.client("codepipeline").list_pipelines()["pipelines"],
    }
    return {name: call() for name, call in calls.items()}


@pytest.mark.parametrize("template", [NETWORK, ACCOUNT, TOOLS], ids=["network", "account", "tools"])
def test_a_stacks_whole_life(cloud: Cloud, template: str) -> None:
    stacks = Steps(cloud)
    before = leftovers(cloud)
    stack = stacks.create("life", template, Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.failures("life")
    made = stacks.physical("life")
    mark = [{"ParameterKey": "Mark", "ParameterValue": "second"}]
    stack = stacks.update("life", template, Capabilities=["CAPABILITY_IAM"], Parameters=mark)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stacks.failures("life")
    assert stacks.physical("life") == made
    stack = stacks.delete("life")
    assert stack["StackStatus"] == "DELETE_COMPLETE", stacks.failures(stack["StackId"])
    assert leftovers(cloud) == before


def test_what_was_asked_for_is_what_there_is(cloud: Cloud) -> None:
    stacks = Steps(cloud)
    stacks.create("life", NETWORK)
    made, ec2 = stacks.physical("life"), cloud.client("ec2")
    subnet = ec2.describe_subnets(SubnetIds=[made["Subnet"]])["Subnets"][0]
    assert (subnet["CidrBlock"], subnet["MapPublicIpOnLaunch"]) == ("10.7.0.0/24", True)
    groups = ec2.describe_security_groups(GroupIds=[made["Back"]])["SecurityGroups"][0]
    assert {(p["FromPort"], p["ToPort"]) for p in groups["IpPermissions"]} == {(8080, 8080), (22, 22)}
    assert [p["FromPort"] for p in groups["IpPermissionsEgress"]] == [443]
    mark = [{"ParameterKey": "Mark", "ParameterValue": "second"}]
    stacks.update("life", NETWORK, Parameters=mark)
    assert stacks.outputs("life") == {"Version": "2"}
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=made["Template"], Versions=["2"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["TagSpecifications"][0]["Tags"] == [{"Key": "mark", "Value": "second"}]


def test_blue_green_with_a_group_is_refused_as_on_aws(cloud: Cloud) -> None:
    template = """
Resources:
  Group:
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties:
      ApplicationName: app
      ServiceRoleArn: arn:aws:iam::123456789012:role/x
      AutoScalingGroups: [blue]
      LoadBalancerInfo: {TargetGroupInfoList: [{Name: t}]}
      DeploymentStyle: {DeploymentType: BLUE_GREEN, DeploymentOption: WITH_TRAFFIC_CONTROL}
"""
    stacks = Steps(cloud)
    assert stacks.create("dg", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = stacks.reason("dg", "Group", "CREATE_FAILED")
    assert "BLUE_GREEN cannot be combined with AutoScalingGroups and LoadBalancerInfo" in reason
