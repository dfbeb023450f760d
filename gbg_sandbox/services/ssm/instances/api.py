"""Operations on managed instances and their inventory; also what agents call to report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbg_sandbox.events import Event
from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.ssm.instances.state import ManagedInstance, ManagedInstances
from gbg_sandbox.services.ssm.paging import page
from gbg_sandbox.services.ssm.refusing import refuse_inputs

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

STATE_CHANGED = "EC2 Instance State-change Notification"


def check_own(call: Call, instance_id: str) -> None:
    """An agent speaks for its own instance only."""
    if call.principal.kind != "aws" and call.principal.instance_id != instance_id:
        raise AwsError(
            "AccessDeniedException", f"{call.principal.arn} can't speak for instance {instance_id}", 400
        )


class InstanceOperations(Service):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.instances = ManagedInstances(cloud.clock.now)

    def start(self) -> None:
        super().start()
        self.cloud.events.subscribe(self._instance_changed)

    def _instance_changed(self, event: Event) -> None:
        if event.source != "aws.ec2" or event.detail_type != STATE_CHANGED:
            return
        instance_id, state = event.detail["instance-id"], event.detail["state"]
        if state in ("stopping", "stopped", "shutting-down"):
            self.instances.switched_off(instance_id)
        if state == "terminated":
            self.instances.forget(instance_id)
        if state in ("stopped", "terminated"):
            self.instance_ended(instance_id)

    def instance_ended(self, instance_id: str) -> None:
        """For Run Command, which has invocations there."""

    @runs
    def update_instance_information(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """The agent's registration and heartbeat."""
        check_own(call, params["InstanceId"])
        known = self.instances.get(params["InstanceId"]) is not None
        self.instances.report(
            params["InstanceId"],
            agent_version=params.get("AgentVersion", ""),
            platform_name=params.get("PlatformName", ""),
            platform_version=params.get("PlatformVersion", ""),
            platform_type=params.get("PlatformType", "Linux"),
            address=params.get("IPAddress", ""),
            computer_name=params.get("ComputerName", ""),
        )
        if not known:
            arn = self.cloud.arn("ec2", f"instance/{params['InstanceId']}")
            detail = {"instance-id": params["InstanceId"]}
            self.cloud.events.publish("aws.ssm", "SSM Managed Instance Registration", detail, (arn,))
        return {}

    @runs
    def describe_instance_information(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        rules = [(rule["Key"], rule["Values"]) for rule in params.get("Filters", [])]
        rules += [(rule["key"], rule["valueSet"]) for rule in params.get("InstanceInformationFilterList", [])]
        self._check_named(rules)
        found = [one for one in self.instances.all() if all(_matches(one, *rule) for rule in rules)]
        return page("InstanceInformationList", [_shape(one) for one in found], params)

    def _check_named(self, rules: list[tuple[str, list[str]]]) -> None:
        for key, values in rules:
            if key == "InstanceIds" and any(not value.startswith(("i-", "mi-")) for value in values):
                raise AwsError("InvalidInstanceId", f"{', '.join(values)} are not instance ids")

    @runs
    def put_inventory(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        check_own(call, params["InstanceId"])
        found = self.instances.get(params["InstanceId"])
        if found is None:
            raise AwsError("InvalidInstanceId", f"Instance {params['InstanceId']} is not managed")
        with self.instances.lock:
            for item in params["Items"]:
                found.inventory[item["TypeName"]] = item
        return {"Message": "Success"}

    @runs
    def list_inventory_entries(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "Filters")
        found = self.instances.with_inventory(params["InstanceId"])
        if found is None:
            raise AwsError("InvalidInstanceId", f"Instance {params['InstanceId']} has no inventory")
        item = found.inventory.get(params["TypeName"], {})
        facts = {
            "TypeName": params["TypeName"],
            "InstanceId": found.id,
            "SchemaVersion": item.get("SchemaVersion", "1.1"),
            "CaptureTime": item.get("CaptureTime", ""),
        }
        return page("Entries", item.get("Content", []), params, **facts)

    @runs
    def get_inventory(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "Filters", "Aggregators", "ResultAttributes")
        entities = [
            {
                "Id": one.id,
                "Data": {
                    name: {
                        "TypeName": name,
                        "SchemaVersion": item["SchemaVersion"],
                        "CaptureTime": item["CaptureTime"],
                        "Content": item.get("Content", []),
                    }
                    for name, item in one.inventory.items()
                },
            }
            for one in self.instances.all()
        ]
        return page("Entities", entities, params)


def _matches(one: ManagedInstance, key: str, values: list[str]) -> bool:
    facts = {
        "InstanceIds": one.id,
        "PingStatus": one.ping_status,
        "AgentVersion": one.agent_version,
        "PlatformTypes": one.platform_type,
        "ResourceType": "EC2Instance",
    }
    if key not in facts:
        raise AwsError("InvalidFilterKey", f"gbg_sandbox does not filter managed instances by {key}")
    return facts[key] in values


def _shape(one: ManagedInstance) -> dict[str, Any]:
    return {
        "InstanceId": one.id,
        "PingStatus": one.ping_status,
        "LastPingDateTime": one.last_ping,
        "AgentVersion": one.agent_version,
        "IsLatestVersion": True,
        "PlatformType": one.platform_type,
        "PlatformName": one.platform_name,
        "PlatformVersion": one.platform_version,
        "ResourceType": "EC2Instance",
        "IPAddress": one.address,
        "ComputerName": one.computer_name,
        "SourceId": one.id,
        "SourceType": "AWS::EC2::Instance",
    }
