"""Operations on images and snapshots."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.ec2 import answers, fields
from gbg_sandbox.services.ec2.base import Ec2Operations, tags_for
from gbg_sandbox.services.ec2.filters import page, select
from gbg_sandbox.services.ec2.launch import block_devices, check_tag_keys
from gbg_sandbox.services.ec2.state import BlockDevice, Image, Instance, Snapshot, Tags, new_id

Params = dict[str, Any]
Answer = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9 ()\[\]./\-'@_]{3,128}")
DEPRECATION_LIMIT_DAYS = 3653


class ImageOperations(Ec2Operations):
    @runs
    def create_image(self, call: Call, params: Params) -> Answer:
        """Pending until the instance's disk is copied; without NoReboot the instance is off meanwhile."""
        kinds = ("image", "snapshot")
        image_tags = tags_for("image", params.get("TagSpecifications"), kinds)
        snapshot_tags = tags_for("snapshot", params.get("TagSpecifications"), kinds)
        check_tag_keys({**image_tags, **snapshot_tags}, call.principal)
        with self.state.lock:
            self._check_name(params["Name"])
            instance = self.state.instance(params["InstanceId"])
            if instance.state not in ("running", "stopped"):
                raise AwsError(
                    "IncorrectState",
                    f"Instance '{instance.id}' is in state '{instance.state}'; "
                    "it must be 'running' or 'stopped'.",
                )
            image = self._pending_image(instance, params, image_tags)
            snapshots = self._snapshots(image, instance, snapshot_tags)
            self.state.images[image.id] = image
        self.engine.create_image(image, instance, snapshots, reboot=not params.get("NoReboot", False))
        return {"ImageId": image.id}

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise AwsError(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', "
                "')', '.', '-', '/', '_' and spaces, square brackets, single quotes and '@'",
            )
        for other in self.state.images.values():
            if other.name == name and other.owner == self.cloud.account and other.state != "failed":
                raise AwsError(
                    "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.id}"
                )

    def _pending_image(self, instance: Instance, params: Params, tags: Tags) -> Image:
        own = tuple(volume.device for volume in instance.volumes)
        devices = block_devices(own, params.get("BlockDeviceMappings"), self.state, launching=False)
        parent = self.state.images.get(instance.image_id)
        return Image(
            id=new_id("ami"),
            name=params["Name"],
            owner=self.cloud.account,
            created=self.cloud.clock.now(),
            layers=(),
            devices=devices,
            description=params.get("Description", ""),
            architecture=instance.architecture,
            root_device=instance.root_device,
            state="pending",
            imds_support=parent.imds_support if parent else "",
            source_instance=instance.id,
            source_image=instance.image_id,
            tags=tags,
        )

    def _snapshots(self, image: Image, instance: Instance, tags: Tags) -> list[Snapshot]:
        """One for each volume of the instance; added empty volumes have none."""
        volumes = {volume.device.name: volume for volume in instance.volumes}
        made: list[Snapshot] = []
        devices: list[BlockDevice] = []
        for device in image.devices:
            if device.name in volumes:
                volume_id = volumes[device.name].id
                text = f"Created by CreateImage({instance.id}) for {image.id}"
                made.append(self._snapshot(device, volume_id, text, tags))
                device = replace(device, snapshot_id=made[-1].id)
            devices.append(device)
        image.devices = tuple(devices)
        self.state.snapshots.update({snapshot.id: snapshot for snapshot in made})
        return made

    def _snapshot(self, device: BlockDevice, volume_id: str, text: str, tags: Tags) -> Snapshot:
        return Snapshot(
            id=new_id("snap"),
            volume_id=volume_id,
            size_gib=device.size_gib,
            description=text,
            started=self.cloud.clock.now(),
            encrypted=device.encrypted,
            kms_key=device.kms_key,
            owner=self.cloud.account,
            tags=dict(tags),
        )

    @runs
    def describe_images(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            ids = params.get("ImageIds")
            every = [self.state.image(one) for one in ids] if ids else list(self.state.images.values())
            every = [one for one in every if self._visible(one, params)]
            chosen, more = page(select(every, params.get("Filters"), fields.IMAGE_FILTERS), params)
            return {"Images": [answers.image(one) for one in chosen], **more}

    def _visible(self, image: Image, params: Params) -> bool:
        own = image.owner == self.cloud.account
        owners = params.get("Owners")
        named = {image.owner, image.owner_alias, "self" if own else ""} - {""}
        if owners and not named & set(owners):
            return False
        if image.state == "disabled" and not params.get("IncludeDisabled") and not params.get("ImageIds"):
            return False
        past = image.deprecated is not None and image.deprecated <= self.cloud.clock.now()
        if past and not own and not params.get("IncludeDeprecated") and not params.get("ImageIds"):
            return False
        users = params.get("ExecutableUsers")
        return not users or (image.public and "all" in users) or (own and "self" in users)

    def _own_image(self, image_id: str) -> Image:
        image = self.state.image(image_id)
        if image.owner != self.cloud.account:
            raise AwsError("AuthFailure", f"Not authorized for image:{image_id}", 403)
        return image

    @runs
    def deregister_image(self, call: Call, params: Params) -> Answer:
        """Its layers stay as long as an instance or a later image stands on them."""
        with self.state.lock:
            image = self._own_image(params["ImageId"])
            if image.state == "pending":
                raise AwsError("IncorrectState", f"The image '{image.id}' is still being made.")
            del self.state.images[image.id]
            self.state.deregistered.add(image.id)
            results = self._delete_snapshots_of(image) if params.get("DeleteAssociatedSnapshots") else []
        image.state = "deregistered"
        self.engine.announce_image(image)
        self.engine.remove_unused_layers()
        return {"Return": True, **({"DeleteSnapshotResults": results} if results else {})}

    def _delete_snapshots_of(self, image: Image) -> list[Answer]:
        results = []
        for snapshot_id in [device.snapshot_id for device in image.devices if device.snapshot_id]:
            shared = self._image_with(snapshot_id) is not None
            if not shared:
                self.state.snapshots.pop(snapshot_id, None)
            results.append({"SnapshotId": snapshot_id, "ReturnCode": "skipped" if shared else "success"})
        return results

    def _image_with(self, snapshot_id: str) -> Image | None:
        for image in self.state.images.values():
            if any(device.snapshot_id == snapshot_id for device in image.devices):
                return image
        return None

    @runs
    def disable_image(self, call: Call, params: Params) -> Answer:
        return self._switch(params, "available", "disabled")

    @runs
    def enable_image(self, call: Call, params: Params) -> Answer:
        return self._switch(params, "disabled", "available")

    def _switch(self, params: Params, former: str, state: str) -> Answer:
        with self.state.lock:
            image = self._own_image(params["ImageId"])
            if image.state not in (former, state):
                raise AwsError("IncorrectState", f"The image '{image.id}' is {image.state}.")
            image.state = state
        self.engine.announce_image(image)
        return {"Return": True}

    @modelled
    def enable_image_deprecation(self, call: Call, params: Params) -> Answer:
        """Deprecated images still launch; only the description tells."""
        moment = params["DeprecateAt"]
        now = self.cloud.clock.now()
        if moment < now or (moment - now).days > DEPRECATION_LIMIT_DAYS:
            raise AwsError("InvalidParameterValue", "DeprecateAt must lie in the next 10 years.")
        with self.state.lock:
            self._own_image(params["ImageId"]).deprecated = moment.replace(second=0, microsecond=0)
        return {"Return": True}

    @modelled
    def disable_image_deprecation(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            self._own_image(params["ImageId"]).deprecated = None
        return {"Return": True}

    @runs
    def modify_image_attribute(self, call: Call, params: Params) -> None:
        """Description and ImdsSupport; there is no other account to share an image with."""
        changes = {
            name: value for name, value in params.items() if name not in ("ImageId", "DryRun", "Attribute")
        }
        with self.state.lock:
            image = self._own_image(params["ImageId"])
            for name, value in changes.items():
                if name == "Description":
                    image.description = value["Value"]
                elif name == "ImdsSupport" and value["Value"] == "v2.0":
                    image.imds_support = "v2.0"
                else:
                    raise AwsError("UnsupportedOperation", f"gbg_sandbox does not change {name} of an image.")

    @runs
    def describe_image_attribute(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            image = self._own_image(params["ImageId"])
        wanted = params["Attribute"]
        if wanted == "description":
            return {"ImageId": image.id, "Description": {"Value": image.description}}
        if wanted == "imdsSupport":
            return {"ImageId": image.id, "ImdsSupport": {"Value": image.imds_support}}
        if wanted == "launchPermission":
            return {"ImageId": image.id, "LaunchPermissions": []}
        if wanted == "blockDeviceMapping":
            return {
                "ImageId": image.id,
                "BlockDeviceMappings": [answers.mapping(one) for one in image.devices],
            }
        raise AwsError("UnsupportedOperation", f"gbg_sandbox keeps no image attribute {wanted}.")

    @runs
    def copy_image(self, call: Call, params: Params) -> Answer:
        """Within the Region; `Encrypted` makes the copy's volumes encrypted."""
        if params["SourceRegion"] != self.cloud.region:
            raise AwsError("InvalidParameterValue", f"this sandbox has one Region, {self.cloud.region}")
        if "DestinationOutpostArn" in params:
            raise AwsError("UnsupportedOperation", "gbg_sandbox has no Outposts.")
        kinds = ("image", "snapshot")
        with self.state.lock:
            self._check_name(params["Name"])
            source = self.state.image(params["SourceImageId"])
            if source.state != "available":
                raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{source.id}' is {source.state}")
            image = replace(
                source,
                id=new_id("ami"),
                name=params["Name"],
                owner=self.cloud.account,
                owner_alias="",
                parameter_name="",
                public=False,
                created=self.cloud.clock.now(),
                description=params.get("Description", source.description),
                source_image=source.id,
                source_instance="",
                deprecated=None,
                last_launched=None,
                tags=dict(source.tags) if params.get("CopyImageTags") else {},
            )
            image.tags |= tags_for("image", params.get("TagSpecifications"), kinds)
            self._copy_devices(image, params, tags_for("snapshot", params.get("TagSpecifications"), kinds))
            self.state.images[image.id] = image
        self.engine.announce_image(image)
        return {"ImageId": image.id}

    def _copy_devices(self, image: Image, params: Params, tags: Tags) -> None:
        devices = []
        for device in image.devices:
            if params.get("Encrypted"):
                device = replace(device, encrypted=True, kms_key=params.get("KmsKeyId", ""))
            if device.snapshot_id:
                text = f"Copied for DestinationAmi {image.id} from SourceAmi {params['SourceImageId']}"
                snapshot = self._snapshot(device, "vol-ffffffff", text, tags)
                snapshot.state = "completed"
                self.state.snapshots[snapshot.id] = snapshot
                device = replace(device, snapshot_id=snapshot.id)
            devices.append(device)
        image.devices = tuple(devices)

    @modelled
    def describe_snapshots(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            ids = params.get("SnapshotIds")
            every = [self.state.snapshot(one) for one in ids] if ids else list(self.state.snapshots.values())
            owners = params.get("OwnerIds")
            if owners:
                own = {"self": self.cloud.account}
                wanted = {own.get(one, one) for one in owners}
                every = [one for one in every if one.owner in wanted]
            chosen, more = page(select(every, params.get("Filters"), fields.SNAPSHOT_FILTERS), params)
            return {"Snapshots": [answers.snapshot(one) for one in chosen], **more}

    @modelled
    def delete_snapshot(self, call: Call, params: Params) -> None:
        with self.state.lock:
            snapshot = self.state.snapshot(params["SnapshotId"])
            image = self._image_with(snapshot.id)
            if image is not None:
                raise AwsError(
                    "InvalidSnapshot.InUse", f"The snapshot {snapshot.id} is currently in use by {image.id}"
                )
            del self.state.snapshots[snapshot.id]
