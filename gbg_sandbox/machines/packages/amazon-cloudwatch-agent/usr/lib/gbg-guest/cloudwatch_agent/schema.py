"""What a configuration may say: checked place by place, before anything is kept or run.

Follows https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html;
what the real agent knows and this one doesn't is refused by name.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Check = Callable[[str, Any], None]

MEMORY = {
    "used_percent": "Percent",
    "available_percent": "Percent",
    **dict.fromkeys(
        ("active", "available", "buffered", "cached", "free", "inactive", "total", "used"), "Bytes"
    ),
}
DISK = {
    "used_percent": "Percent",
    **dict.fromkeys(("free", "total", "used"), "Bytes"),
    **dict.fromkeys(("inodes_free", "inodes_total", "inodes_used"), "Count"),
}
CPU = dict.fromkeys(
    ("usage_active", "usage_idle", "usage_iowait", "usage_nice", "usage_steal", "usage_system", "usage_user"),
    "Percent",
)
UNITS = {"mem": MEMORY, "disk": DISK, "cpu": CPU}
"""what can be measured: section → name without the section's prefix → unit"""
APPENDED = {
    name: f"${{aws:{name}}}" for name in ("InstanceId", "ImageId", "InstanceType", "AutoScalingGroupName")
}
RETENTIONS = (
    -1,
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
NOT_RUN = {
    "/": {"traces", "csm"},
    "/agent/": {"aws_sdk_log_level", "credentials", "internal", "service.name", "deployment.environment",
                "use_dualstack_endpoint", "user_agent"},
    "/metrics/": {"credentials", "endpoint_override", "metrics_destinations", "service.name",
                  "deployment.environment"},
    "/metrics/metrics_collected/": {"collectd", "statsd", "diskio", "ethtool", "jmx", "net", "netstat",
                                    "nvidia_gpu", "otlp", "processes", "procstat", "prometheus", "swap"},
    "/logs/": {"concurrency", "credentials", "endpoint_override", "metrics_collected", "service.name",
               "deployment.environment"},
    "/logs/logs_collected/": {"journald", "windows_events"},
    "/logs/logs_collected/files/collect_list/": {
        "auto_removal", "backpressure_mode", "blacklist", "deployment.environment", "encoding", "filters",
        "log_group_class", "publish_multi_logs", "service.name",
        "timestamp_format", "timezone", "trim_timestamp"},
}  # fmt: skip
"""what the real agent knows at a place, and this one not"""


class Invalid(Exception):
    """A configuration is refused; `path` is the place in it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"Under path : {path} | Error : {why}")


def check(config: object) -> None:
    """Raises Invalid."""
    _section(
        "/",
        config,
        {
            "agent": _agent,
            "metrics": _metrics,
            "logs": _logs,
        },
    )


def _section(path: str, value: object, known: Mapping[str, Check], required: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise Invalid(path, f"Invalid type. Expected: object, given: {_kind(value)}")
    for name, inner in value.items():
        if name in NOT_RUN.get(_place(path), ()):
            raise Invalid(path, f"gbg_sandbox does not run {name}; remove it from the configuration")
        if name not in known:
            raise Invalid(path, f"Additional property {name} is not allowed")
        known[name](f"{path}{name}/", inner)
    for name in required:
        if name not in value:
            raise Invalid(path, f"{name} is required")


def _place(path: str) -> str:
    """A path without the positions in lists."""
    return re.sub(r"/\d+/", "/", path)


def _kind(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")


def _text(path: str, value: object) -> None:
    if not isinstance(value, str):
        raise Invalid(path, f"Invalid type. Expected: string, given: {_kind(value)}")
    if not value:
        raise Invalid(path, "String length must be greater than or equal to 1")


def _flag(path: str, value: object) -> None:
    if not isinstance(value, bool):
        raise Invalid(path, f"Invalid type. Expected: boolean, given: {_kind(value)}")


def _seconds(path: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(path, f"Invalid type. Expected: integer, given: {_kind(value)}")
    if not 1 <= value <= 172800:
        raise Invalid(path, "Must be between 1 and 172800 seconds")


def _list(each: Check) -> Check:
    def look(path: str, value: object) -> None:
        if not isinstance(value, list):
            raise Invalid(path, f"Invalid type. Expected: array, given: {_kind(value)}")
        for number, one in enumerate(value):
            each(f"{path}{number}/", one)

    return look


def _texts_by_name(path: str, value: object) -> None:
    if not isinstance(value, dict):
        raise Invalid(path, f"Invalid type. Expected: object, given: {_kind(value)}")
    for name, text in value.items():
        _text(f"{path}{name}/", text)


def _agent(path: str, value: object) -> None:
    flags = dict.fromkeys(("debug", "omit_hostname", "quiet"), _flag)
    texts = dict.fromkeys(("logfile", "region", "run_as_user"), _text)
    _section(path, value, {"metrics_collection_interval": _seconds, **flags, **texts})


def _metrics(path: str, value: object) -> None:
    known: dict[str, Check] = {
        "namespace": _text,
        "append_dimensions": _appended,
        "aggregation_dimensions": _list(_list(_text)),
        "force_flush_interval": _seconds,
        "metrics_collected": _collected,
    }
    _section(path, value, known, ("metrics_collected",))


def _appended(path: str, value: object) -> None:
    _texts_by_name(path, value)
    assert isinstance(value, dict)
    for name, text in value.items():
        if name not in APPENDED:
            raise Invalid(path, f"Additional property {name} is not allowed")
        if text != APPENDED[name]:
            raise Invalid(f"{path}{name}/", f"{text} is not {APPENDED[name]}")


def _collected(path: str, value: object) -> None:
    _section(path, value, {section: _plugin(section) for section in UNITS})


def _plugin(section: str) -> Check:
    def measurement(path: str, value: object) -> None:
        if isinstance(value, dict):
            _section(path, value, dict.fromkeys(("name", "rename", "unit"), _text), ("name",))
            value = value["name"]
        _text(path, value)
        if str(value).removeprefix(f"{section}_") not in UNITS[section]:
            raise Invalid(path, f"gbg_sandbox does not measure {value}; it knows {', '.join(UNITS[section])}")

    def look(path: str, value: object) -> None:
        known: dict[str, Check] = {
            "measurement": _list(measurement),
            "metrics_collection_interval": _seconds,
            "append_dimensions": _texts_by_name,
        }
        if section == "disk":
            known |= {
                "resources": _list(_text),
                "ignore_file_system_types": _list(_text),
                "drop_device": _flag,
            }
        if section == "cpu":
            known |= {"resources": _list(_text), "totalcpu": _flag}
        _section(path, value, known, ("measurement",))

    return look


def _logs(path: str, value: object) -> None:
    known: dict[str, Check] = {
        "logs_collected": _logs_collected,
        "log_stream_name": _text,
        "force_flush_interval": _seconds,
    }
    _section(path, value, known, ("logs_collected",))


def _logs_collected(path: str, value: object) -> None:
    _section(path, value, {"files": _files})


def _files(path: str, value: object) -> None:
    _section(path, value, {"collect_list": _list(_file)}, ("collect_list",))


def _file(path: str, value: object) -> None:
    texts = dict.fromkeys(("file_path", "log_group_name", "log_stream_name"), _text)
    known = {**texts, "retention_in_days": _retention, "multi_line_start_pattern": _pattern}
    _section(path, value, known, ("file_path",))


def _pattern(path: str, value: object) -> None:
    _text(path, value)
    if value == "{timestamp_format}":
        raise Invalid(path, "gbg_sandbox does not run timestamp_format; give a regular expression")
    try:
        re.compile(str(value))
    except re.error as error:
        raise Invalid(path, f"{value} is not a regular expression: {error}") from error


def _retention(path: str, value: object) -> None:
    if value not in RETENTIONS or isinstance(value, bool):
        raise Invalid(path, f"{value} is not one of {', '.join(map(str, RETENTIONS))}")
