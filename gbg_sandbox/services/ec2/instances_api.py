"""Operations on instances and their volumes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gbg_sandbox.service import AwsError, Call, Principal, modelled, runs, stored
from gbg_sandbox.services.ec2 import answers, fields
from gbg_sandbox.services.ec2.base import Ec2Operations
from gbg_sandbox.services.ec2.engine import refuse
from gbg_sandbox.services.ec2.filters import page, select
from gbg_sandbox.services.ec2.launch import LaunchPlan, Profile, find_profile, resolve
from gbg_sandbox.services.ec2.state import Instance, new_id

Params = dict[str, Any]
Answer = dict[str, Any]

ATTRIBUTES: dict[str, Callable[[Instance], Answer]] = {
    "disableApiTermination": lambda one: {"DisableApiTermination": {"Value": one.protected}},
    "instanceInitiatedShutdownBehavior": lambda one: {
        "InstanceInitiatedShutdownBehavior": {"Value": one.shutdown_behavior}
    },
    "instanceType": lambda one: {"InstanceType": {"Value": one.instance_type}},
    "userData": lambda one: {"UserData": {"Value": one.user_data} if one.user_data else {}},
    "groupSet": lambda one: {"Groups": answers.group_set(one.groups)},
    "rootDeviceName": lambda one: {"RootDeviceName": {"Value": one.root_device}},
    "ebsOptimized": lambda one: {"EbsOptimized": {"Value": one.ebs_optimized}},
}


class InstanceOperations(Ec2Operations):
    def plan_launch(self, principal: Principal, params: Params) -> LaunchPlan:
        """What RunInstances would make of these parameters. Raises AwsError as RunInstances does."""
        return resolve(self.cloud, self.state, self.records, params, principal)

    @runs
    def run_instances(self, call: Call, params: Params) -> Answer:
        if not 1 <= params["MinCount"] <= params["MaxCount"]:
            raise AwsError("InvalidParameterValue", "MinCount must be at least 1 and at most MaxCount.")
        token = params.get("ClientToken", "")
        digest = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()
        former = self._launched_before(token, digest)
        if former:
            return self._reservation(former)
        plan = self.plan_launch(call.principal, params)
        count = 1 if plan.address else params["MaxCount"]
        made = self.engine.launch(plan, count, token)
        if token:
            with self.state.lock:
                self.state.launches[token] = (digest, tuple(instance.id for instance in made))
        return self._reservation(made)

    def _launched_before(self, token: str, digest: str) -> list[Instance]:
        with self.state.lock:
            known, ids = self.state.launches.get(token, ("", ()))
            if known and known != digest:
                raise AwsError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous "
                    "request(s).",
                )
            return [self.state.instances[one] for one in ids if one in self.state.instances]

    def _reservation(self, instances: list[Instance]) -> Answer:
        with self.state.lock:
            return {
                "ReservationId": instances[0].reservation_id,
                "OwnerId": self.cloud.account,
                "Groups": [],
                "Instances": [answers.instance(one, self.cloud.account) for one in instances],
            }

    @runs
    def describe_instances(self, call: Call, params: Params) -> Answer:
        chosen, more = self._chosen(params)
        reservations: dict[str, list[Instance]] = {}
        for one in chosen:
            reservations.setdefault(one.reservation_id, []).append(one)
        return {"Reservations": [self._reservation(group) for group in reservations.values()], **more}

    @runs
    def describe_instance_status(self, call: Call, params: Params) -> Answer:
        chosen, more = self._chosen(params, running=not params.get("IncludeAllInstances", False))
        return {"InstanceStatuses": [answers.instance_status(one) for one in chosen], **more}

    def _chosen(self, params: Params, *, running: bool = False) -> tuple[list[Instance], dict[str, str]]:
        self.engine.forget_terminated()
        with self.state.lock:
            ids = params.get("InstanceIds")
            every = self.state.chosen_instances(ids) if ids else list(self.state.instances.values())
            found = select(every, params.get("Filters"), fields.INSTANCE_FILTERS)
        if running:
            found = [one for one in found if one.state == "running"]
        return page(found, params)

    @runs
    def stop_instances(self, call: Call, params: Params) -> Answer:
        _refuse_hibernation(params)
        before = self._before(params)
        for one, state in before:
            if state not in ("running", "stopping", "stopped"):
                raise refuse(one, "stopped")
        for one, state in before:
            if state == "running":
                self.engine.stop(one)
        return {"StoppingInstances": _changes(before)}

    @runs
    def start_instances(self, call: Call, params: Params) -> Answer:
        before = self._before(params)
        for one, state in before:
            if state not in ("stopped", "running", "pending"):
                raise refuse(one, "started")
        for one, state in before:
            if state == "stopped":
                self.engine.start_again(one)
        return {"StartingInstances": _changes(before)}

    @runs
    def reboot_instances(self, call: Call, params: Params) -> Answer:
        for one, state in self._before(params):
            if state != "running":
                raise refuse(one, "rebooted")
            self.engine.reboot(one)
        return {}

    @runs
    def terminate_instances(self, call: Call, params: Params) -> Answer:
        before = self._before(params)
        for one, _ in before:
            if one.protected:
                raise AwsError(
                    "OperationNotPermitted",
                    f"The instance '{one.id}' may not be terminated. Modify its 'disableApiTermination' "
                    "instance attribute and try again.",
                )
        for one, state in before:
            if state not in ("shutting-down", "terminated"):
                self.engine.terminate(one)
        return {"TerminatingInstances": _changes(before)}

    def _before(self, params: Params) -> list[tuple[Instance, str]]:
        with self.state.lock:
            return [(one, one.state) for one in self.state.chosen_instances(params["InstanceIds"])]

    @runs
    def get_console_output(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            one = self.state.instance(params["InstanceId"])
        machine = self.cloud.machines.get(one.id)
        text = machine.console() if machine else one.console
        return {
            "InstanceId": one.id,
            "Timestamp": self.cloud.clock.now(),
            "Output": base64.b64encode(text.encode()).decode(),
        }

    @runs
    def describe_instance_attribute(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            one = self.state.instance(params["InstanceId"])
            wanted = params["Attribute"]
            if wanted not in ATTRIBUTES:
                raise AwsError("UnsupportedOperation", f"gbg_sandbox keeps no instance attribute {wanted}.")
            return {"InstanceId": one.id, **ATTRIBUTES[wanted](one)}

    @runs
    def modify_instance_attribute(self, call: Call, params: Params) -> None:
        with self.state.lock:
            one = self.state.instance(params["InstanceId"])
            changes = {name: value for name, value in params.items() if name not in ("InstanceId", "DryRun")}
            for name, value in changes.items():
                if name == "DisableApiTermination":
                    one.protected = value["Value"]
                elif name == "InstanceInitiatedShutdownBehavior":
                    one.shutdown_behavior = value["Value"]
                else:
                    raise AwsError(
                        "UnsupportedOperation", f"gbg_sandbox does not change {name} of an instance."
                    )

    @runs
    def modify_instance_metadata_options(self, call: Call, params: Params) -> Answer:
        if params.get("HttpProtocolIpv6") == "enabled":
            raise AwsError("UnsupportedOperation", "gbg_sandbox has no IPv6 endpoint for instance metadata.")
        names = {
            "HttpTokens": "http_tokens",
            "HttpPutResponseHopLimit": "hop_limit",
            "HttpEndpoint": "http_endpoint",
            "InstanceMetadataTags": "tags",
        }
        with self.state.lock:
            one = self.state.instance(params["InstanceId"])
            changes = {field: params[name] for name, field in names.items() if name in params}
            one.metadata = replace(one.metadata, **changes)
            return {"InstanceId": one.id, "InstanceMetadataOptions": answers.metadata_options(one)}

    @runs
    def describe_iam_instance_profile_associations(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            having = [one for one in self.state.instances.values() if one.profile_arn and one.exists]
            ids = params.get("AssociationIds")
            having = [one for one in having if not ids or one.association_id in ids]
            known = {"instance-id": lambda one: one.id, "state": lambda one: "associated"}
            chosen, more = page(select(having, params.get("Filters"), known), params)
            return {"IamInstanceProfileAssociations": [_association(one) for one in chosen], **more}

    @runs
    def associate_iam_instance_profile(self, call: Call, params: Params) -> Answer:
        profile = find_profile(self.cloud, params["IamInstanceProfile"])
        with self.state.lock:
            one = self.state.instance(params["InstanceId"])
            if one.profile_arn:
                raise AwsError(
                    "IncorrectState", f"There is an existing association for instance {one.id}", status=400
                )
            _give_profile(one, profile)
            return {"IamInstanceProfileAssociation": _association(one)}

    @runs
    def disassociate_iam_instance_profile(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            one = self._associated(params["AssociationId"])
            answer = {"IamInstanceProfileAssociation": {**_association(one), "State": "disassociating"}}
            one.profile_arn = one.profile_id = one.association_id = ""
            return answer

    @runs
    def replace_iam_instance_profile_association(self, call: Call, params: Params) -> Answer:
        profile = find_profile(self.cloud, params["IamInstanceProfile"])
        with self.state.lock:
            one = self._associated(params["AssociationId"])
            _give_profile(one, profile)
            return {"IamInstanceProfileAssociation": _association(one)}

    def _associated(self, association_id: str) -> Instance:
        for one in self.state.instances.values():
            if one.association_id == association_id:
                return one
        raise AwsError(
            "InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist."
        )

    @modelled
    def describe_volumes(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            every = self.state.volumes()
            ids = params.get("VolumeIds")
            for missing in set(ids or ()) - {one.id for one in every}:
                raise AwsError("InvalidVolume.NotFound", f"The volume '{missing}' does not exist.")
            every = [one for one in every if not ids or one.id in ids]
            chosen, more = page(select(every, params.get("Filters"), fields.VOLUME_FILTERS), params)
            return {"Volumes": [answers.volume(one) for one in chosen], **more}

    @stored
    def monitor_instances(self, call: Call, params: Params) -> Answer:
        return self._monitoring(params, on=True)

    @stored
    def unmonitor_instances(self, call: Call, params: Params) -> Answer:
        return self._monitoring(params, on=False)

    def _monitoring(self, params: Params, *, on: bool) -> Answer:
        with self.state.lock:
            chosen = self.state.chosen_instances(params["InstanceIds"])
            for one in chosen:
                one.monitoring = on
        state = {"State": "enabled" if on else "disabled"}
        return {"InstanceMonitorings": [{"InstanceId": one.id, "Monitoring": state} for one in chosen]}


def _changes(before: list[tuple[Instance, str]]) -> list[Answer]:
    return [
        {
            "InstanceId": one.id,
            "PreviousState": answers.state(former),
            "CurrentState": answers.state(one.state),
        }
        for one, former in before
    ]


def _refuse_hibernation(params: Params) -> None:
    if params.get("Hibernate"):
        raise AwsError("UnsupportedHibernationConfiguration", "gbg_sandbox does not hibernate instances.")


def _give_profile(one: Instance, profile: Profile) -> None:
    one.profile_arn, one.profile_id, one.association_id = profile.arn, profile.id, new_id("iip-assoc")


def _association(one: Instance) -> Answer:
    return {
        "AssociationId": one.association_id,
        "InstanceId": one.id,
        "IamInstanceProfile": {"Arn": one.profile_arn, "Id": one.profile_id},
        "State": "associated",
        "Timestamp": one.launched,
    }
