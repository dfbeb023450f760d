"""Attributes of load balancers and target groups: what is run, and what is only true as AWS sets it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gbg_sandbox.service import AwsError

LOAD_BALANCER_DEFAULTS = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
TARGET_GROUP_DEFAULTS = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
RANGES = {
    "idle_timeout.timeout_seconds": range(1, 4001),
    "deregistration_delay.timeout_seconds": range(0, 3601),
}
CHOICES = {
    "routing.http.drop_invalid_header_fields.enabled": ("true", "false"),
    "deletion_protection.enabled": ("true", "false"),
    "load_balancing.algorithm.type": ("round_robin", "least_outstanding_requests"),
}


def changed(
    current: Mapping[str, str], defaults: Mapping[str, str], wanted: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """The attributes after a change. Raises AwsError for an unknown key or a value not to be had."""
    result = dict(current)
    for one in wanted:
        key, value = one["Key"], one.get("Value", "")
        if key not in defaults:
            raise AwsError("ValidationError", f"The attribute key '{key}' is not valid")
        _check(key, value, defaults[key])
        result[key] = value
    return result


def _check(key: str, value: str, default: str) -> None:
    if key in RANGES:
        if not value.isdecimal() or int(value) not in RANGES[key]:
            limits = RANGES[key]
            raise AwsError(
                "ValidationError",
                f"'{key}' must be between {limits.start} and {limits.stop - 1} inclusive, not '{value}'",
            )
    elif key in CHOICES:
        if value not in CHOICES[key]:
            raise AwsError(
                "ValidationError", f"'{key}' must be one of {', '.join(CHOICES[key])}, not '{value}'"
            )
    elif value != default:
        raise AwsError("ValidationError", f"gbg_sandbox does not run '{key}' = '{value}'; it has '{default}'")


def listed(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(attributes.items())]
