"""Operations on load balancers."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.elbv2.attributes import LOAD_BALANCER_DEFAULTS, changed, listed
from gbg_sandbox.services.elbv2.base import Elbv2Base, check_name, invalid, paged, refuse, tags_of
from gbg_sandbox.services.elbv2.proxy import find_haproxy
from gbg_sandbox.services.elbv2.state import LoadBalancer, bound_socket, new_id

PROVISIONING_SECONDS = 30


class LoadBalancers(Elbv2Base):
    @runs
    def create_load_balancer(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        check_name(params["Name"], "Load balancer")
        if params.get("Type", "application") != "application":
            raise invalid(f"gbg_sandbox runs load balancers of type application, not {params['Type']}")
        if params.get("IpAddressType", "ipv4") != "ipv4":
            raise invalid("gbg_sandbox runs load balancers of address type ipv4")
        refuse(params, "CustomerOwnedIpv4Pool", "EnablePrefixForIpv6SourceNat", "IpamPools")
        find_haproxy()
        scheme = params.get("Scheme", "internet-facing")
        vpc, zones = self._zones(params)
        groups = self._security_groups(vpc, params.get("SecurityGroups", []))
        if scheme == "internet-facing":
            self._check_internet_gateway(vpc)
        with self.lock:
            existing = next(
                (one for one in self.records.load_balancers.values() if one.name == params["Name"]), None
            )
            if existing is not None:
                if (existing.scheme, existing.zones, existing.security_groups) != (scheme, zones, groups):
                    raise AwsError(
                        "DuplicateLoadBalancerName",
                        f"A load balancer with the same name '{existing.name}' exists, but with different "
                        "settings",
                    )
                return {"LoadBalancers": [existing.described()]}
            made = LoadBalancer(
                self.cloud.arn("elasticloadbalancing", f"loadbalancer/app/{params['Name']}/{new_id()}"),
                params["Name"],
                scheme,
                vpc,
                zones,
                groups,
                bound_socket(),
                self.cloud.clock.now(),
                dict(LOAD_BALANCER_DEFAULTS),
                tags_of(params),
            )
            self.records.load_balancers[made.arn] = made
            described = made.described()
        self.cloud.spawn(f"provision {made.name}", self._provision, made)
        return {"LoadBalancers": [described]}

    def _provision(self, made: LoadBalancer) -> None:
        self.cloud.clock.sleep(PROVISIONING_SECONDS)
        with self.lock:
            made.state = "active"

    def _zones(self, params: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        """VPC, and zone with subnet for each subnet asked for."""
        mappings = params.get("SubnetMappings", [])
        if any(set(mapping) - {"SubnetId"} for mapping in mappings):
            raise invalid("gbg_sandbox does not give load balancers addresses of your choice")
        wanted = list(params.get("Subnets", [])) or [mapping["SubnetId"] for mapping in mappings]
        try:
            found = self.cloud.client("ec2").describe_subnets(SubnetIds=wanted)["Subnets"] if wanted else []
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidSubnetID.NotFound":
                raise
            raise AwsError("SubnetNotFound", error.response["Error"]["Message"]) from error
        if len({subnet["AvailabilityZone"] for subnet in found}) < 2:
            raise invalid("At least two subnets in two different Availability Zones must be specified")
        if len({subnet["AvailabilityZone"] for subnet in found}) < len(found):
            raise AwsError(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            )
        if len({subnet["VpcId"] for subnet in found}) > 1:
            raise AwsError("InvalidConfigurationRequest", "The subnets must be in the same VPC")
        zones = sorted((subnet["AvailabilityZone"], subnet["SubnetId"]) for subnet in found)
        return found[0]["VpcId"], zones

    def _security_groups(self, vpc: str, wanted: list[str]) -> list[str]:
        ec2 = self.cloud.client("ec2")
        if not wanted:
            filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
            return [
                group["GroupId"] for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
            ]
        try:
            found = ec2.describe_security_groups(GroupIds=wanted)["SecurityGroups"]
        except ClientError as error:
            raise AwsError("InvalidSecurityGroup", error.response["Error"]["Message"]) from error
        for group in found:
            if group["VpcId"] != vpc:
                raise AwsError(
                    "InvalidConfigurationRequest",
                    f"One or more security groups are invalid: {group['GroupId']} is not in {vpc}",
                )
        return list(wanted)

    def _check_internet_gateway(self, vpc: str) -> None:
        filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        if not self.cloud.client("ec2").describe_internet_gateways(Filters=filters)["InternetGateways"]:
            raise AwsError("InvalidSubnet", f"VPC {vpc} has no internet gateway")

    @modelled
    def describe_load_balancers(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = list(self.records.load_balancers.values())
            if params.get("LoadBalancerArns"):
                found = [self.records.load_balancer(arn) for arn in params["LoadBalancerArns"]]
            if params.get("Names"):
                missing = sorted(set(params["Names"]) - {one.name for one in found})
                if missing:
                    raise AwsError(
                        "LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found"
                    )
                found = [one for one in found if one.name in params["Names"]]
            return paged("LoadBalancers", [one.described() for one in found], params)

    @runs
    def delete_load_balancer(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            found = self.records.load_balancers.get(params["LoadBalancerArn"])
            if found is None:
                return
            if found.attributes["deletion_protection.enabled"] == "true":
                raise AwsError(
                    "OperationNotPermitted",
                    f"Load balancer '{found.arn}' cannot be deleted because deletion protection is enabled",
                )
            del self.records.load_balancers[found.arn]
        self.engine.end(found.arn)
        found.socket.close()
        self.engine.refresh()

    @modelled
    def describe_load_balancer_attributes(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return {"Attributes": listed(self.records.load_balancer(params["LoadBalancerArn"]).attributes)}

    @runs
    def modify_load_balancer_attributes(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = self.records.load_balancer(params["LoadBalancerArn"])
            before = found.attributes
            found.attributes = changed(before, LOAD_BALANCER_DEFAULTS, params["Attributes"])
            restart = found.listener is not None and before != found.attributes
        if restart:
            self.engine.apply_rules(found)
        return {"Attributes": listed(found.attributes)}

    @modelled
    def set_security_groups(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = self.records.load_balancer(params["LoadBalancerArn"])
        groups = self._security_groups(found.vpc_id, params["SecurityGroups"])
        with self.lock:
            found.security_groups = groups
        return {"SecurityGroupIds": groups}

    @modelled
    def set_subnets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = self.records.load_balancer(params["LoadBalancerArn"])
        vpc, zones = self._zones(params)
        if vpc != found.vpc_id:
            raise AwsError("InvalidConfigurationRequest", f"The subnets are not in {found.vpc_id}")
        with self.lock:
            found.zones = zones
            return {"AvailabilityZones": found.described()["AvailabilityZones"], "IpAddressType": "ipv4"}
