"""What each action takes and gives, for checking a document before it runs.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActionSpec:
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    open: bool = False
    """takes any further input: the parameters of the API it calls"""
    default_timeout: int | None = None
    """AWS seconds"""
    scaled: bool = False
    """its time is a wait that AWS imposes, so the limit passes on the sandbox's clock"""
    on_cancel: bool = True

    @property
    def inputs(self) -> frozenset[str]:
        return self.required | self.optional


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SPECS: dict[str, ActionSpec] = {
    "aws:approve": ActionSpec(
        required=_names("Approvers"),
        optional=_names("NotificationArn Message MinRequiredApprovals"),
        outputs=_names("ApprovalStatus ApproverDecisions"),
        default_timeout=604800,
        scaled=True,
        on_cancel=False,
    ),
    "aws:assertAwsResourceProperty": ActionSpec(
        required=_names("Service Api PropertySelector DesiredValues"), open=True
    ),
    "aws:branch": ActionSpec(required=_names("Choices"), optional=_names("Default")),
    "aws:changeInstanceState": ActionSpec(
        required=_names("InstanceIds DesiredState"),
        optional=_names("CheckStateOnly Force AdditionalInfo"),
        outputs=_names("InstanceStates"),
        scaled=True,
    ),
    "aws:copyImage": ActionSpec(
        required=_names("SourceRegion SourceImageId ImageName"),
        optional=_names("ImageDescription Encrypted KmsKeyId ClientToken"),
        outputs=_names("ImageId ImageState"),
        scaled=True,
        on_cancel=False,
    ),
    "aws:createImage": ActionSpec(
        required=_names("InstanceId ImageName"),
        optional=_names("ImageDescription NoReboot BlockDeviceMappings"),
        outputs=_names("ImageId ImageState"),
        scaled=True,
        on_cancel=False,
    ),
    "aws:createTags": ActionSpec(
        required=_names("ResourceIds Tags"), optional=_names("ResourceType"), on_cancel=False
    ),
    "aws:deleteImage": ActionSpec(required=_names("ImageId")),
    "aws:executeAwsApi": ActionSpec(required=_names("Service Api"), open=True),
    "aws:executeScript": ActionSpec(
        required=_names("Runtime Script"),
        optional=_names("Handler InputPayload"),
        outputs=_names("Payload OutputPayload"),
        default_timeout=600,
    ),
    "aws:invokeLambdaFunction": ActionSpec(
        required=_names("FunctionName"),
        optional=_names("Qualifier InvocationType LogType ClientContext Payload InputPayload"),
        outputs=_names("StatusCode FunctionError LogResult Payload OutputPayload"),
        default_timeout=300,
    ),
    "aws:pause": ActionSpec(scaled=True, on_cancel=False),
    "aws:runCommand": ActionSpec(
        required=_names("DocumentName"),
        optional=_names(
            "DocumentVersion InstanceIds Targets Parameters CloudWatchOutputConfig Comment DocumentHash "
            "DocumentHashType OutputS3BucketName OutputS3KeyPrefix TimeoutSeconds"
        ),
        outputs=_names("CommandId Status ResponseCode Output OutputPayload"),
    ),
    "aws:runInstances": ActionSpec(
        required=_names("ImageId"),
        optional=_names(
            "InstanceType MinInstanceCount MaxInstanceCount IamInstanceProfileArn IamInstanceProfileName "
            "SubnetId SecurityGroupIds SecurityGroups KeyName UserData TagSpecifications BlockDeviceMappings "
            "MetadataOptions ClientToken DisableApiTermination EbsOptimized Monitoring NetworkInterfaces "
            "InstanceInitiatedShutdownBehavior Placement PrivateIpAddress"
        ),
        outputs=_names("InstanceIds InstanceStates"),
        scaled=True,
        on_cancel=False,
    ),
    "aws:sleep": ActionSpec(optional=_names("Duration Timestamp"), scaled=True, on_cancel=False),
    "aws:updateVariable": ActionSpec(required=_names("Name Value")),
    "aws:waitForAwsResourceProperty": ActionSpec(
        required=_names("Service Api PropertySelector DesiredValues"),
        open=True,
        default_timeout=3600,
        scaled=True,
    ),
}

KNOWN_TO_AWS = _names(
    "aws:createStack aws:deleteStack aws:executeAutomation aws:executeStateMachine aws:invokeWebhook aws:loop"
)
"""actions that AWS has and that are refused by name here"""
