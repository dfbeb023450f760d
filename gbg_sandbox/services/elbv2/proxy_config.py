"""HAProxy's configuration for one load balancer, as a pure function of its rules and targets.

Answers are an Application Load Balancer's: 503 with no target to choose, 502 when a target can't be reached
or breaks off, 504 when it doesn't answer in time. A request is sent again only while none of the answer has
come, and only when its method is idempotent.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LISTEN_FD, ADMIN_FD = 3, 4
FRONTEND = "listener"
SWITCH = "handover/switch"
"""a server that is never used: while it is ready, connections are closed after their next answer"""
CONNECT_SECONDS = 5
MOST_CONNECTIONS = 4000
REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    413: "Payload Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Time-out",
}
BALANCE = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn"}


@dataclass(frozen=True)
class Server:
    name: str
    address: str
    port: int
    state: str
    """ready | drain | maint, as HAProxy's runtime API takes it"""


@dataclass(frozen=True)
class Backend:
    name: str
    group_arn: str
    algorithm: str
    servers: tuple[Server, ...]


@dataclass(frozen=True)
class Route:
    conditions: Sequence[dict[str, Any]]
    action: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a proxy is to do. The last route is the default one."""

    idle_seconds: int
    drop_invalid_headers: bool
    routes: tuple[Route, ...]
    backends: tuple[Backend, ...]


def configuration(plan: Plan, folder: Path) -> dict[Path, str]:
    """The files of a proxy: `haproxy.cfg` in `folder`, and the bodies of fixed responses beside it."""
    files: dict[Path, str] = {}
    frontend = _matching(plan.routes)
    names = {backend.group_arn: backend.name for backend in plan.backends}
    uses: list[str] = []
    if plan.drop_invalid_headers:
        frontend.insert(0, "http-request del-header [^-A-Za-z0-9] -m reg")
    for number, route in enumerate(plan.routes, 1):
        condition = f"{{ var(txn.rule) -m int {number} }}"
        if route.action["Type"] == "forward":
            requests, chosen = _forward(route.action, names, condition)
            frontend += requests
            uses += chosen
        elif route.action["Type"] == "redirect":
            frontend.append(_redirect(route.action["RedirectConfig"], condition))
        else:
            body = folder / f"fixed-{number}"
            files[body] = route.action["FixedResponseConfig"].get("MessageBody", "")
            frontend.append(_fixed(route.action["FixedResponseConfig"], body, bool(files[body]), condition))
    sections = [
        _global(),
        _defaults(plan.idle_seconds),
        _section(
            f"frontend {FRONTEND}", [f"bind fd@{LISTEN_FD}", *FRONTEND_LINES, *frontend, *AFTER_LINES, *uses]
        ),
        _section("backend handover", ["server switch 127.0.0.1:1 disabled"]),
        *(_backend(backend) for backend in plan.backends),
    ]
    files[folder / "haproxy.cfg"] = "\n".join(sections)
    return files


FORWARDED = "{ req.hdr_cnt(X-Forwarded-For) gt 0 }"
FRONTEND_LINES = (
    f"http-request set-header X-Forwarded-For %[req.fhdr(X-Forwarded-For)],\\ %[src] if {FORWARDED}",
    f"http-request set-header X-Forwarded-For %[src] unless {FORWARDED}",
    "http-request set-header X-Forwarded-Proto http",
    "http-request set-header X-Forwarded-Port %[dst_port]",
    "http-request set-var(txn.begun) date(0,us)",
    "http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
)
UNREACHED = "{ status 503 } !{ var(txn.answered) -m bool } !{ var(txn.empty) -m bool }"
SLOW = f"{{ date(0,us),sub(txn.begun) -m int ge {CONNECT_SECONDS * 1_000_000} }}"
AFTER_LINES = (
    f'http-after-response set-status 504 reason "Gateway Time-out" if {UNREACHED} {SLOW}',
    f'http-after-response set-status 502 reason "Bad Gateway" if {UNREACHED}',
    "http-after-response set-header Connection close if { nbsrv(handover) gt 0 }",
)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines), ""])


def _global() -> str:
    return _section(
        "global",
        [
            f"stats socket fd@{ADMIN_FD} level admin",
            "nbthread 1",
            f"maxconn {MOST_CONNECTIONS}",
        ],
    )


def _defaults(idle_seconds: int) -> str:
    errors = [
        f"http-error status {code} {_page(f'{502 if code == 503 else code} {reason}')}"
        for code, reason in {**REASONS, 503: REASONS[502]}.items()
    ]
    return _section(
        "defaults",
        [
            "mode http",
            f"timeout connect {CONNECT_SECONDS}s",
            f"timeout client {idle_seconds}s",
            f"timeout server {idle_seconds}s",
            f"timeout http-keep-alive {idle_seconds}s",
            "timeout queue 1s",
            "option redispatch 1",
            "retries 2",
            "retry-on conn-failure empty-response",
            "http-reuse safe",
            *errors,
        ],
    )


def _page(title: str) -> str:
    """An answer of the load balancer's own."""
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
    return f"content-type text/html string {_quoted(page)} hdr Server awselb/2.0"


def _matching(routes: Sequence[Route]) -> list[str]:
    """Lines that put the number of the first matching route, counted from 1, into txn.rule."""
    lines = ["http-request set-var(txn.rule) int(0)"]
    for number, route in enumerate(routes, 1):
        conditions = " ".join(_condition(one) for one in route.conditions)
        unmatched = "{ var(txn.rule) -m int 0 }"
        lines.append(f"http-request set-var(txn.rule) int({number}) if {unmatched} {conditions}".rstrip())
    return lines


def _condition(condition: dict[str, Any]) -> str:
    expressions = " ".join(_quoted(_expression(value)) for value in condition["Values"])
    fetch = "path -m reg" if condition["Field"] == "path-pattern" else "req.hdr(host),host_only -m reg -i"
    return f"{{ {fetch} {expressions} }}"


def _expression(value: str) -> str:
    """A pattern with `*` and `?` as a regular expression."""
    return "^" + "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in value) + "$"


def _forward(action: dict[str, Any], names: dict[str, str], condition: str) -> tuple[list[str], list[str]]:
    """Request rules, and the choice of a backend by weight."""
    weighted = [
        (names[one["TargetGroupArn"]], one["Weight"])
        for one in action["ForwardConfig"]["TargetGroups"]
        if one["Weight"] > 0
    ]
    empty = f"http-request return status 503 {_page('503 Service Temporarily Unavailable')}"
    if not weighted:
        return [f"http-request set-var(txn.empty) bool(true) if {condition}", f"{empty} if {condition}"], []
    total = sum(weight for _, weight in weighted)
    requests = [f"http-request set-var(txn.dice) rand({total}) if {condition}"] if len(weighted) > 1 else []
    uses: list[str] = []
    below = 0
    for name, weight in weighted:
        below += weight
        chosen = condition if below == total else f"{condition} {{ var(txn.dice) -m int lt {below} }}"
        unchosen = "!{ var(txn.backend) -m found }"
        requests.append(f"http-request set-var(txn.backend) str({name}) if {unchosen} {chosen}")
        nobody = f"{{ var(txn.backend) -m str {name} }} {{ nbsrv({name}) eq 0 }}"
        requests.append(f"http-request set-var(txn.empty) bool(true) if {condition} {nobody}")
        uses.append(f"use_backend {name} if {{ var(txn.backend) -m str {name} }}")
    requests.append(f"{empty} if {condition} {{ var(txn.empty) -m bool }}")
    return requests, uses


def _fixed(config: dict[str, Any], body: Path, has_body: bool, condition: str) -> str:
    told = (
        f" content-type {config.get('ContentType', 'text/plain')} file {_quoted(str(body))}"
        if has_body
        else ""
    )
    return f"http-request return status {config['StatusCode']}{told} hdr Server awselb/2.0 if {condition}"


def _redirect(config: dict[str, Any], condition: str) -> str:
    parts = {
        "#{protocol}": "http",
        "#{host}": "%[req.hdr(host),host_only]",
        "#{port}": "%[dst_port]",
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }
    query = f"?{config['Query']}" if config["Query"] else ""
    location = f"http://{config['Host']}:{config['Port']}{config['Path']}{query}"
    for name, fetch in parts.items():
        location = location.replace(name, fetch)
    code = config["StatusCode"].removeprefix("HTTP_")
    return f"http-request redirect code {code} location {_quoted(location)} if {condition}"


def _backend(backend: Backend) -> str:
    lines = [f"balance {BALANCE[backend.algorithm]}", "http-response set-var(txn.answered) bool(true)"]
    lines += [
        f"server {one.name} {one.address}:{one.port}{'' if one.state == 'ready' else ' disabled'}"
        for one in backend.servers
    ]
    return _section(f"backend {backend.name}", lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
