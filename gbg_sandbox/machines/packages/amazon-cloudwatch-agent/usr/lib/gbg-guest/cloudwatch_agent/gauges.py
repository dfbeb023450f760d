"""What is measured: memory, disks, processor.

A machine of the chroot kind has no /proc: its memory figures come from sysinfo(2), which counts the page
cache as used, its one disk is the root, and the processor can't be read.
Names and units: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/metrics-collected-by-CloudWatch-agent.html
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from cloudwatch_agent.config import Plugin

MEMINFO, STAT, MOUNTS = "/proc/meminfo", "/proc/stat", "/proc/mounts"
CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class Reading(NamedTuple):
    metric: str
    unit: str
    value: float
    dimensions: dict[str, str]


class Gauges:
    """The readings of a plugin. The processor's are differences: the first look gives none."""

    def __init__(self) -> None:
        self._cpu: dict[str, dict[str, int]] = {}

    def read(self, plugin: Plugin) -> list[Reading]:
        """Without what the machine can't tell. Raises OSError."""
        looks = {"mem": _memory, "disk": _disks, "cpu": self._processors}
        return [
            Reading(one.metric, one.unit, values[one.name], plugin.dimensions | dimensions)
            for dimensions, values in looks[plugin.section](plugin.options)
            for one in plugin.measured
            if one.name in values
        ]

    def _processors(self, options: dict[str, Any]) -> list[tuple[dict[str, str], dict[str, float]]]:
        every = "*" in options.get("resources", ())
        found = []
        for name, ticks in _ticks().items():
            wanted = options.get("totalcpu", True) if name == "cpu-total" else every
            before = self._cpu.get(name)
            self._cpu[name] = ticks
            if wanted and before is not None:
                found.append(({"cpu": name}, _shares(before, ticks)))
        return found


def _ticks() -> dict[str, dict[str, int]]:
    found = {}
    with open(STAT, encoding="ascii") as file:
        for line in file:
            name, *values = line.split()
            if name.startswith("cpu"):
                name = "cpu-total" if name == "cpu" else name
                found[name] = dict(zip(CPU_FIELDS, map(int, values), strict=False))
    return found


def _shares(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    spent = {name: after[name] - before.get(name, 0) for name in after}
    total = sum(spent.values()) or 1
    shares = {f"usage_{name}": 100.0 * spent[name] / total for name in spent}
    return shares | {"usage_active": 100.0 - shares["usage_idle"]}


def _memory(options: dict[str, Any]) -> list[tuple[dict[str, str], dict[str, float]]]:
    if not os.path.exists(MEMINFO):
        return [({}, _memory_by_sysinfo())]
    told = {}
    with open(MEMINFO, encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            told[name] = 1024.0 * int(value.split()[0])
    total, available = told["MemTotal"], told["MemAvailable"]
    cached = told["Cached"] + told.get("SReclaimable", 0.0)
    used = total - told["MemFree"] - told["Buffers"] - cached
    values = {
        "active": told["Active"],
        "available": available,
        "available_percent": 100.0 * available / total,
        "buffered": told["Buffers"],
        "cached": cached,
        "free": told["MemFree"],
        "inactive": told["Inactive"],
        "total": total,
        "used": used,
        "used_percent": 100.0 * used / total,
    }
    return [({}, values)]


def _memory_by_sysinfo() -> dict[str, float]:
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = float(os.sysconf("SC_PHYS_PAGES") * page), float(os.sysconf("SC_AVPHYS_PAGES") * page)
    values = {"total": total, "free": free, "available": free, "used": total - free}
    return values | {
        "available_percent": 100.0 * free / total,
        "used_percent": 100.0 * (total - free) / total,
    }


def _disks(options: dict[str, Any]) -> list[tuple[dict[str, str], dict[str, float]]]:
    resources = options.get("resources") or ["*"]
    ignored = options.get("ignore_file_system_types", ())
    found = []
    for path, (device, kind) in _mounts().items():
        if (path in resources or "*" in resources) and kind not in ignored:
            values = _disk(path)
            named = {} if options.get("drop_device") else {"device": os.path.basename(device)}
            if values:
                found.append(({"path": path, "fstype": kind, **named}, values))
    return found


def _mounts() -> dict[str, tuple[str, str]]:
    """Mount point → device, type; the last mount on a point is the one seen."""
    if not os.path.exists(MOUNTS):
        return {"/": ("rootfs", "rootfs")}
    with open(MOUNTS, encoding="utf-8") as file:
        fields = [line.split() for line in file]
    return {path: (device, kind) for device, path, kind, *_ in fields}


def _disk(path: str) -> dict[str, float]:
    """Empty for a file system without blocks, such as /proc."""
    try:
        told = os.statvfs(path)
    except OSError:
        return {}
    if not told.f_blocks:
        return {}
    total, free = told.f_blocks * told.f_frsize, told.f_bfree * told.f_frsize
    used = total - free
    available = told.f_bavail * told.f_frsize
    return {
        "total": total,
        "free": available,
        "used": used,
        "used_percent": 100.0 * used / ((used + available) or 1),
        "inodes_total": told.f_files,
        "inodes_free": told.f_ffree,
        "inodes_used": told.f_files - told.f_ffree,
    }
