"""EC2: instances that run on machines, images, launch templates; networks are kept by moto."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gbg_sandbox.machines import catalogue
from gbg_sandbox.service import AwsError, Call, Handler
from gbg_sandbox.services.ec2.images_api import ImageOperations
from gbg_sandbox.services.ec2.imds import MetadataService
from gbg_sandbox.services.ec2.instances_api import InstanceOperations
from gbg_sandbox.services.ec2.network_api import NetworkOperations
from gbg_sandbox.services.ec2.public_images import public_images
from gbg_sandbox.services.ec2.tags_api import TagOperations
from gbg_sandbox.services.ec2.templates_api import TemplateOperations

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

FORWARDED = """
    AllocateAddress AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress
    AuthorizeSecurityGroupIngress CreateInternetGateway CreateKeyPair CreateNatGateway CreateNetworkAcl
    CreateNetworkAclEntry CreateRoute CreateRouteTable CreateSecurityGroup CreateVpcEndpoint
    DeleteInternetGateway DeleteKeyPair DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry DeleteRoute
    DeleteRouteTable DeleteVpcEndpoints DescribeAddresses DescribeAvailabilityZones DescribeDhcpOptions
    DescribeInstanceTypeOfferings DescribeInstanceTypes DescribeInternetGateways DescribeKeyPairs
    DescribeManagedPrefixLists DescribeNatGateways DescribeNetworkAcls DescribePrefixLists DescribeRegions
    DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups DescribeVpcAttribute
    DescribeVpcEndpoints DescribeVpcPeeringConnections DescribeVpcs DetachInternetGateway
    DisableEbsEncryptionByDefault DisassociateRouteTable EnableEbsEncryptionByDefault
    GetEbsEncryptionByDefault ImportKeyPair ModifyNetworkInterfaceAttribute ModifySecurityGroupRules
    ModifySubnetAttribute ModifyVpcAttribute ReleaseAddress ReplaceRoute ReplaceRouteTableAssociation
    RevokeSecurityGroupEgress RevokeSecurityGroupIngress UpdateSecurityGroupRuleDescriptionsEgress
    UpdateSecurityGroupRuleDescriptionsIngress
"""


class Ec2(InstanceOperations, ImageOperations, TemplateOperations, TagOperations, NetworkOperations):
    forwards = frozenset(FORWARDED.split())

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._metadata = MetadataService(cloud, self.state)
        self._preparing = threading.Lock()
        self._prepared = False

    def start(self) -> None:
        self._offer_public_images()
        self.engine.start()

    def stop(self) -> None:
        self._metadata.stop()

    def prepare(self) -> None:
        """The account's networks as a new account has them here; the first call takes a second."""
        with self._preparing:
            if not self._prepared:
                self.remove_default_network()
                self._prepared = True

    def _offer_public_images(self) -> None:
        for image, snapshot in public_images(catalogue.load(), self.engine.images_dir):
            self.state.images[image.id] = image
            self.state.snapshots[snapshot.id] = snapshot

    def handler(self, operation: str) -> Handler | None:
        """`DryRun` ends after the permission check."""
        if not self._prepared:
            self.prepare()
        run = super().handler(operation)
        if run is None:
            return None
        handle = run

        def dry_run_first(call: Call, params: dict[str, Any]) -> Mapping[str, Any] | None:
            if params.pop("DryRun", False):
                raise AwsError(
                    "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412
                )
            return handle(call, params)

        return dry_run_first

    def resource_tags(self, arn: str) -> Mapping[str, str]:
        """Tags of an EC2 resource, for conditions of IAM policies."""
        resource_id = arn.rpartition("/")[2]
        with self.state.lock:
            own = self.state.tags_of(resource_id)
            if own is not None:
                return dict(own)
        filters = [{"Name": "resource-id", "Values": [resource_id]}]
        return {
            tag["Key"]: tag["Value"] for tag in self.records.ask("describe_tags", Filters=filters)["Tags"]
        }


SERVICE = Ec2
