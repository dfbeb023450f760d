"""The agent's configuration: read, merged and checked; and the translation that is kept beside it."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from cloudwatch_agent import place, schema

TEMPORARY = ".tmp"
"""the ending of a fetched file until it is found valid"""


class Source(NamedTuple):
    """A log file, or a series of them, and where it goes; names still hold their placeholders."""

    file_path: str
    group: str
    stream: str
    retention_days: int
    event_start: str
    """a line without this belongs to the event of the line before"""


class Measured(NamedTuple):
    section: str
    """mem, disk or cpu"""
    name: str
    """without the section's prefix"""
    metric: str
    unit: str


class Plugin(NamedTuple):
    section: str
    measured: tuple[Measured, ...]
    interval: float
    """seconds"""
    dimensions: dict[str, str]
    options: dict[str, Any]


class Config(NamedTuple):
    user: str
    region: str
    """empty: the instance's own"""
    logfile: str
    omit_hostname: bool
    sources: tuple[Source, ...]
    logs_flush_seconds: float
    namespace: str
    appended: tuple[str, ...]
    """names of dimensions that the instance's metadata gives"""
    aggregated: tuple[tuple[str, ...], ...]
    plugins: tuple[Plugin, ...]


class NoConfig(Exception):
    """There is no configuration file."""


def read(path: str) -> dict[str, Any]:
    """One file, checked. Raises schema.Invalid, OSError."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise schema.Invalid("/", f"{path} is not JSON: {error}") from error
    schema.check(content)
    return dict(content)


def kept() -> list[str]:
    """The files that make the configuration of a start."""
    found = [place.JSON_FILE] if os.path.exists(place.JSON_FILE) else []
    if os.path.isdir(place.DIRECTORY):
        names = sorted(os.listdir(place.DIRECTORY))
        found += [
            f"{place.DIRECTORY}/{one}" for one in names if not one.endswith(TEMPORARY) and one[0] != "."
        ]
    return found


def load(paths: list[str]) -> Config:
    """Raises NoConfig, schema.Invalid, OSError."""
    if not paths:
        raise NoConfig(f"no configuration in {place.DIRECTORY}: bring one with fetch-config")
    merged: dict[str, Any] = {}
    for path in paths:
        merge(merged, read(path))
    return understand(merged)


def merge(into: dict[str, Any], more: dict[str, Any], path: str = "/") -> None:
    """Lists are joined, sections merged; two different values in one place are refused."""
    for name, value in more.items():
        if name not in into:
            into[name] = value
        elif isinstance(value, dict) and isinstance(into[name], dict):
            merge(into[name], value, f"{path}{name}/")
        elif isinstance(value, list) and isinstance(into[name], list):
            into[name] += [one for one in value if one not in into[name]]
        elif value != into[name]:
            raise schema.Invalid(f"{path}{name}/", f"Different values are specified for {name}")


def understand(config: dict[str, Any]) -> Config:
    agent, metrics, logs = (config.get(name, {}) for name in ("agent", "metrics", "logs"))
    usual = agent.get("metrics_collection_interval", 60)
    collected = metrics.get("metrics_collected", {})
    listed = logs.get("logs_collected", {}).get("files", {}).get("collect_list", [])
    stream = logs.get("log_stream_name", "{instance_id}")
    return Config(
        user=agent.get("run_as_user", "root"),
        region=agent.get("region", ""),
        logfile=agent.get("logfile", place.LOG_FILE),
        omit_hostname=agent.get("omit_hostname", False),
        sources=tuple(_source(one, stream) for one in listed),
        logs_flush_seconds=logs.get("force_flush_interval", 5),
        namespace=metrics.get("namespace", "CWAgent"),
        appended=tuple(metrics.get("append_dimensions", ())),
        aggregated=tuple(tuple(names) for names in metrics.get("aggregation_dimensions", ())),
        plugins=tuple(_plugin(section, collected[section], usual) for section in collected),
    )


def _source(entry: dict[str, Any], stream: str) -> Source:
    path = entry["file_path"]
    group = entry.get("log_group_name") or path.rpartition(".")[0] or path
    return Source(
        file_path=path,
        group=group,
        stream=entry.get("log_stream_name", stream),
        retention_days=entry.get("retention_in_days", -1),
        event_start=entry.get("multi_line_start_pattern", r"^\S"),
    )


def _plugin(section: str, entry: dict[str, Any], usual: float) -> Plugin:
    measured = tuple(_measured(section, one) for one in entry["measurement"])
    options = {name: entry[name] for name in entry if name not in ("measurement", "append_dimensions")}
    interval = entry.get("metrics_collection_interval", usual)
    return Plugin(section, measured, interval, entry.get("append_dimensions", {}), options)


def _measured(section: str, entry: str | dict[str, str]) -> Measured:
    told = {"name": entry} if isinstance(entry, str) else entry
    name = told["name"].removeprefix(f"{section}_")
    unit = told.get("unit", schema.UNITS[section][name])
    return Measured(section, name, told.get("rename", f"{section}_{name}"), unit)


def translation(config: Config) -> str:
    """The configuration as TOML, for people: it is written anew at every start."""
    lines = ["[agent]", f'  interval = "{config.plugins[0].interval if config.plugins else 60}s"']
    lines += [f"  logfile = {_quoted(config.logfile)}", f"  run_as_user = {_quoted(config.user)}"]
    lines += [f"  omit_hostname = {str(config.omit_hostname).lower()}", "", "[inputs]"]
    for plugin in config.plugins:
        fields = ", ".join(_quoted(one.name) for one in plugin.measured)
        lines += [f"  [[inputs.{plugin.section}]]", f"    fieldpass = [{fields}]"]
        lines += [f'    interval = "{plugin.interval}s"']
    if config.sources:
        lines += ["  [[inputs.logfile]]", f"    file_state_folder = {_quoted(place.STATE_DIRECTORY)}"]
    for source in config.sources:
        lines += ["    [[inputs.logfile.file_config]]", f"      file_path = {_quoted(source.file_path)}"]
        lines += ["      from_beginning = true", f"      log_group_name = {_quoted(source.group)}"]
        lines += [f"      log_stream_name = {_quoted(source.stream)}"]
        lines += [f"      multi_line_start_pattern = {_quoted(source.event_start)}"]
        lines += [f"      retention_in_days = {source.retention_days}"]
    lines += ["", "[outputs]"]
    if config.plugins:
        lines += ["  [[outputs.cloudwatch]]", f"    namespace = {_quoted(config.namespace)}"]
    if config.sources:
        flush = f'    force_flush_interval = "{config.logs_flush_seconds}s"'
        lines += ["  [[outputs.cloudwatchlogs]]", flush]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among its own."""
    return json.dumps(text)
