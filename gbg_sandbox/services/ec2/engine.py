"""Runs instances on machines: every change of state happens to a machine first, then is told.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.machines.interface import MachineError, MachineSpec
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.ec2.launch import LaunchPlan
from gbg_sandbox.services.ec2.records import NetworkRecords
from gbg_sandbox.services.ec2.state import Ec2State, Image, Instance, Snapshot, Volume, new_id

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

VISIBLE_AFTER_TERMINATION_AWS_SECONDS = 3600

USER_SHUTDOWN = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
OWN_SHUTDOWN = (
    "Client.InstanceInitiatedShutdown",
    "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
)
LAUNCH_FAILED = ("Server.InternalError", "Server.InternalError: Internal error on launch")


class Ec2Engine:
    def __init__(self, cloud: Cloud, state: Ec2State, records: NetworkRecords) -> None:
        self._cloud = cloud
        self._state = state
        self._records = records
        self.images_dir = cloud.state_dir / "images"

    def start(self) -> None:
        self._cloud.machines.on_exit(self._machine_ended)

    def launch(self, plan: LaunchPlan, count: int, client_token: str) -> list[Instance]:
        """New instances, pending; their machines start at once."""
        tags = [{"Key": key, "Value": value} for key, value in plan.tags.get("network-interface", {}).items()]
        specification = [{"ResourceType": "network-interface", "Tags": tags}] if tags else []
        interfaces = self._records.create_interfaces(
            plan.subnet_id,
            count,
            address=plan.address,
            Groups=[group_id for group_id, _ in plan.groups],
            **({"TagSpecifications": specification} if specification else {}),
        )
        reservation_id = new_id("r")
        made = [
            self._record(plan, index, interface, reservation_id, client_token)
            for index, interface in enumerate(interfaces)
        ]
        with self._state.lock:
            self._state.instances.update({instance.id: instance for instance in made})
            plan.image.last_launched = self._cloud.clock.now()
        for instance in made:
            self._announce(instance, "pending")
            self._cloud.spawn(f"boot {instance.id}", self._boot, instance)
        return made

    def stop(self, instance: Instance) -> None:
        self._leave(instance, "stopping", USER_SHUTDOWN, "User initiated")
        self._cloud.spawn(f"stop {instance.id}", self._stopped, instance)

    def start_again(self, instance: Instance) -> None:
        self._enter(instance, "pending")
        instance.state_reason = None
        instance.transition_reason = ""
        instance.launched = self._cloud.clock.now()
        self._cloud.spawn(f"start {instance.id}", self._boot, instance)

    def reboot(self, instance: Instance) -> None:
        self._cloud.spawn(f"reboot {instance.id}", self._reboot, instance)

    def terminate(self, instance: Instance, reason: tuple[str, str] = USER_SHUTDOWN) -> None:
        self._leave(instance, "shutting-down", reason, "User initiated" if reason is USER_SHUTDOWN else "")
        self._cloud.spawn(f"terminate {instance.id}", self._terminated, instance)

    def forget_terminated(self) -> None:
        """Terminated instances stay visible for about an hour."""
        seconds = self._cloud.clock.real_seconds(VISIBLE_AFTER_TERMINATION_AWS_SECONDS)
        limit = self._cloud.clock.now() - timedelta(seconds=seconds)
        with self._state.lock:
            for instance in list(self._state.instances.values()):
                if instance.ended is not None and instance.ended < limit:
                    del self._state.instances[instance.id]

    def create_image(
        self, image: Image, instance: Instance, snapshots: list[Snapshot], *, reboot: bool
    ) -> None:
        """Fill a pending image from an instance's disk."""
        self._cloud.spawn(f"image {image.id}", self._fill_image, image, instance, snapshots, reboot)

    def remove_unused_layers(self) -> None:
        """Image layers whose image is gone and which no instance or later image stands on."""
        with self._state.lock:
            used = {layer for one in self._state.images.values() for layer in one.layers}
            alive = [one for one in self._state.instances.values() if one.exists]
            used |= {layer for one in alive for layer in one.layers}
            filling = {image.id for image in self._state.images.values() if image.state == "pending"}
        for directory in self.images_dir.glob("ami-*"):
            if directory.name not in filling and directory / "layer" not in used:
                shutil.rmtree(directory, ignore_errors=True)

    def _record(
        self, plan: LaunchPlan, index: int, interface: dict[str, str], reservation_id: str, client_token: str
    ) -> Instance:
        now = self._cloud.clock.now()
        address = interface["PrivateIpAddress"]
        instance = Instance(
            id=new_id("i"),
            reservation_id=reservation_id,
            image_id=plan.image.id,
            instance_type=plan.instance_type,
            subnet_id=plan.subnet_id,
            vpc_id=plan.vpc_id,
            zone=plan.zone,
            address=address,
            hostname=f"ip-{address.replace('.', '-')}.{self.domain}",
            mac=interface["MacAddress"],
            interface_id=interface["NetworkInterfaceId"],
            groups=plan.groups,
            launched=now,
            metadata=plan.metadata,
            architecture=plan.image.architecture,
            root_device=plan.image.root_device,
            index=index,
            user_data=plan.user_data,
            profile_arn=plan.profile.arn if plan.profile else "",
            profile_id=plan.profile.id if plan.profile else "",
            association_id=new_id("iip-assoc") if plan.profile else "",
            key_name=plan.key_name,
            client_token=client_token,
            shutdown_behavior=plan.shutdown_behavior,
            protected=plan.protected,
            monitoring=plan.monitoring,
            ebs_optimized=plan.ebs_optimized,
            tags=dict(plan.tags.get("instance", {})),
            layers=plan.image.layers,
        )
        volume_tags = plan.tags.get("volume", {})
        instance.volumes = [
            Volume(new_id("vol"), device, plan.zone, instance.id, now, dict(volume_tags))
            for device in plan.devices
        ]
        return instance

    @property
    def domain(self) -> str:
        region = self._cloud.region
        return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"

    def _boot(self, instance: Instance) -> None:
        with instance.work:
            if instance.state != "pending":
                return
            try:
                machine = self._cloud.machines.get(instance.id)
                if machine is None:
                    machine = self._cloud.machines.start(self._spec(instance))
                else:
                    machine.start()
            except MachineError as error:
                log.error("%s did not start: %s", instance.id, error)
                instance.state_reason = (LAUNCH_FAILED[0], f"{LAUNCH_FAILED[1]}. {error}")
                self._remove(instance)
                return
            if not self._enter(instance, "running", only_from="pending"):
                return  # it is to be terminated, which waits for this work to end
            instance.reachable = machine.alive() and machine.run(["/bin/true"]) == 0

    def _spec(self, instance: Instance) -> MachineSpec:
        return MachineSpec(
            name=instance.id,
            network=instance.vpc_id,
            address=instance.address,
            hostname=instance.hostname,
            layers=instance.layers,
        )

    def _stopped(self, instance: Instance) -> None:
        with instance.work:
            if instance.state != "stopping":
                return
            machine = self._cloud.machines.get(instance.id)
            if machine is not None:
                machine.stop()
            self._enter(instance, "stopped", only_from="stopping")

    def _reboot(self, instance: Instance) -> None:
        with instance.work:
            machine = self._cloud.machines.get(instance.id)
            if machine is None or instance.state != "running":
                return
            machine.stop()
            machine.start()

    def _terminated(self, instance: Instance) -> None:
        with instance.work:
            self._remove(instance)
        self.remove_unused_layers()

    def _remove(self, instance: Instance) -> None:
        machine = self._cloud.machines.get(instance.id)
        if machine is not None:
            instance.console = machine.console()
            machine.terminate()
        self._records.remove_interface(instance.interface_id)
        with self._state.lock:
            instance.volumes = []
            instance.ended = self._cloud.clock.now()
        self._enter(instance, "terminated")

    def _machine_ended(self, name: str) -> None:
        """A pid 1 that ends by itself is an instance-initiated shutdown."""
        with self._state.lock:
            instance = self._state.instances.get(name)
            if instance is None or instance.state != "running":
                return
        if instance.shutdown_behavior == "terminate":
            self.terminate(instance, OWN_SHUTDOWN)
        else:
            self._leave(instance, "stopping", OWN_SHUTDOWN, "")
            self._cloud.spawn(f"stop {instance.id}", self._stopped, instance)

    def _fill_image(self, image: Image, instance: Instance, snapshots: list[Snapshot], reboot: bool) -> None:
        try:
            layer = self._take_layer(image, instance, reboot)
        except (MachineError, OSError) as error:
            image.state, image.state_reason = (
                "failed",
                ("Server.InternalError", f"Server.InternalError: {error}"),
            )
            for snapshot in snapshots:
                snapshot.state = "error"
        else:
            with self._state.lock:
                image.layers = (layer, *instance.layers)
                image.state = "available"
                for snapshot in snapshots:
                    snapshot.state = "completed"
        self.announce_image(image)

    def _take_layer(self, image: Image, instance: Instance, reboot: bool) -> Path:
        directory = self.images_dir / image.id
        directory.mkdir(parents=True)
        with instance.work:
            machine = self._cloud.machines.get(instance.id)
            if machine is None:
                raise MachineError(f"{instance.id} was terminated before its disk could be copied")
            rebooting = reboot and machine.alive()
            if rebooting:
                machine.stop()
            layer = machine.snapshot(directory / "layer")
            if rebooting:
                machine.start()
        return layer

    def announce_image(self, image: Image) -> None:
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html"""
        self._cloud.events.publish(
            source="aws.ec2",
            detail_type="EC2 AMI State Change",
            detail={
                "RequestId": new_id("req"),
                "ImageId": image.id,
                "State": image.state,
                "ErrorMessage": image.state_reason[1] if image.state_reason else "",
            },
            resources=[f"arn:aws:ec2:{self._cloud.region}::image/{image.id}"],
        )

    def _leave(self, instance: Instance, state: str, reason: tuple[str, str], who: str) -> None:
        now = self._cloud.clock.now()
        instance.state_reason = reason
        instance.transition_reason = f"{who} ({now:%Y-%m-%d %H:%M:%S} GMT)" if who else ""
        self._enter(instance, state)

    def _enter(self, instance: Instance, state: str, *, only_from: str = "") -> bool:
        """False when it has gone elsewhere meanwhile: then nothing is changed, and nothing told."""
        with self._state.lock:
            if instance.state == "terminated" or (only_from and instance.state != only_from):
                return False
            instance.state = state
            instance.reachable = False
            self._announce(instance, state)
        return True

    def _announce(self, instance: Instance, state: str) -> None:
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html"""
        self._cloud.events.publish(
            source="aws.ec2",
            detail_type="EC2 Instance State-change Notification",
            detail={"instance-id": instance.id, "state": state},
            resources=[self._cloud.arn("ec2", f"instance/{instance.id}")],
        )


def refuse(instance: Instance, what: str) -> AwsError:
    return AwsError(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {what}.",
    )
