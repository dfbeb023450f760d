"""Operations on listeners and rules.

A load balancer has one listener here: its DNS name carries one port of the host, which stands for the
listener's.
"""

from __future__ import annotations

import copy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.elbv2.base import Elbv2Base, invalid, paged, refuse, tags_of
from gbg_sandbox.services.elbv2.routing import full_actions, full_conditions
from gbg_sandbox.services.elbv2.state import Listener, LoadBalancer, Rule, new_id


class Listeners(Elbv2Base):
    @contextmanager
    def _changing(self, load_balancer: LoadBalancer) -> Iterator[None]:
        """Change a load balancer's rules, then let them rule; when that fails they are as before."""
        with self.lock:
            before = copy.deepcopy(load_balancer.listener)
            try:
                yield
                self._check_groups(load_balancer)
            except AwsError:
                load_balancer.listener = before
                raise
        try:
            self.engine.apply_rules(load_balancer)
        except AwsError:
            with self.lock:
                load_balancer.listener = before
            raise

    def _check_groups(self, load_balancer: LoadBalancer) -> None:
        for arn in load_balancer.target_groups():
            if self.records.group(arn).vpc_id != load_balancer.vpc_id:
                raise AwsError("InvalidConfigurationRequest", f"'{arn}' is not in VPC {load_balancer.vpc_id}")
            if len(self.records.users(arn)) > 1:
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load "
                    f"balancer: {arn}",
                )

    @runs
    def create_listener(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_protocol(params)
        if not params.get("Port"):
            raise invalid("A listener port must be specified")
        with self.lock:
            owner = self.records.load_balancer(params["LoadBalancerArn"])
            if owner.listener is not None:
                if owner.listener.port == params["Port"]:
                    raise AwsError(
                        "DuplicateListener", "A listener already exists on this port for this load balancer"
                    )
                raise AwsError(
                    "TooManyListeners",
                    "gbg_sandbox gives a load balancer one listener, as its DNS name carries one port",
                )
        with self._changing(owner):
            arn = f"{owner.arn.replace(':loadbalancer/', ':listener/')}/{new_id()}"
            actions = full_actions(params["DefaultActions"], self.records.group)
            rule = Rule(f"{arn.replace(':listener/', ':listener-rule/')}/{new_id()}", 0, [], actions)
            owner.listener = made = Listener(arn, owner.arn, params["Port"], [rule], tags_of(params))
        return {"Listeners": [made.described()]}

    @modelled
    def describe_listeners(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if params.get("ListenerArns"):
                found = [self.records.listener(arn) for arn in params["ListenerArns"]]
            elif params.get("LoadBalancerArn"):
                listener = self.records.load_balancer(params["LoadBalancerArn"]).listener
                found = [listener] if listener else []
            else:
                raise invalid("You must specify either listener ARNs or a load balancer ARN")
            return paged("Listeners", [one.described() for one in found], params)

    @runs
    def modify_listener(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_protocol(params)
        with self.lock:
            listener = self.records.listener(params["ListenerArn"])
            owner = self.records.load_balancer(listener.load_balancer_arn)
        with self._changing(owner):
            listener.port = params.get("Port", listener.port)
            if params.get("DefaultActions"):
                listener.default.actions = full_actions(params["DefaultActions"], self.records.group)
        return {"Listeners": [listener.described()]}

    @runs
    def delete_listener(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            listener = self.records.listener(params["ListenerArn"])
            owner = self.records.load_balancer(listener.load_balancer_arn)
            owner.listener = None
        self.engine.end(owner.arn)
        owner.socket.shutdown(socket.SHUT_RDWR)  # ends the listening, keeps the port
        self.engine.refresh()

    @runs
    def create_rule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse(params, "Transforms")
        if not 1 <= params["Priority"] <= 50000:
            raise invalid(f"Priority '{params['Priority']}' must be between 1 and 50000")
        with self.lock:
            listener = self.records.listener(params["ListenerArn"])
            owner = self.records.load_balancer(listener.load_balancer_arn)
        with self._changing(owner):
            if any(rule.priority == params["Priority"] for rule in listener.rules):
                raise AwsError("PriorityInUse", f"Priority '{params['Priority']}' is currently in use")
            made = Rule(
                f"{listener.arn.replace(':listener/', ':listener-rule/')}/{new_id()}",
                params["Priority"],
                full_conditions(params["Conditions"]),
                full_actions(params["Actions"], self.records.group),
                tags_of(params),
            )
            listener.rules.append(made)
            listener.sort_rules()
        return {"Rules": [made.described()]}

    @modelled
    def describe_rules(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if params.get("RuleArns"):
                found = [self.records.rule(arn)[1] for arn in params["RuleArns"]]
            elif params.get("ListenerArn"):
                found = self.records.listener(params["ListenerArn"]).rules
            else:
                raise invalid("You must specify either listener rule ARNs or a listener ARN")
            return paged("Rules", [one.described() for one in found], params)

    @runs
    def modify_rule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse(params, "Transforms")
        with self.lock:
            listener, rule = self.records.rule(params["RuleArn"])
            owner = self.records.load_balancer(listener.load_balancer_arn)
        if rule.is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
        with self._changing(owner):
            if params.get("Conditions"):
                rule.conditions = full_conditions(params["Conditions"])
            if params.get("Actions"):
                rule.actions = full_actions(params["Actions"], self.records.group)
        return {"Rules": [rule.described()]}

    @runs
    def delete_rule(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            listener, rule = self.records.rule(params["RuleArn"])
            owner = self.records.load_balancer(listener.load_balancer_arn)
        if rule.is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be deleted")
        with self._changing(owner):
            listener.rules.remove(rule)


def _check_protocol(params: dict[str, Any]) -> None:
    if params.get("Protocol", "HTTP") != "HTTP":
        raise AwsError("UnsupportedProtocol", f"gbg_sandbox runs HTTP listeners, not {params['Protocol']}")
    refuse(params, "SslPolicy", "Certificates", "AlpnPolicy", "MutualAuthentication")
