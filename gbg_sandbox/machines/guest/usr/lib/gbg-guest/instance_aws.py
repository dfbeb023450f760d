"""The one way out of a machine: instance metadata, role credentials and signed AWS calls.

Standard library only, so that every program in the machine can use it with a bare `python3 -I -S`.
IMDSv2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
Signature: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import http.client
import json
import os
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

METADATA_HOST = "169.254.169.254"
CONTAINER_HOST = "169.254.170.2"
TOKEN_SECONDS = 21600
REFRESH_SECONDS = 300
"""role credentials are fetched again this long before they expire"""


class InstanceError(Exception):
    """The metadata service did not give what was asked."""


class MetadataMissingError(InstanceError):
    """The metadata service has nothing under this path (404)."""


class ServiceError(Exception):
    """An AWS service refused a call; `code` and `message` are its own, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str
    expires: float
    """seconds since the epoch"""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """names in lower case"""
    body: bytes


_token: tuple[str, float] = ("", 0.0)
_credentials = Credentials("", "", "", 0.0)
_identity: dict[str, Any] = {}


def _exchange(host: str, method: str, path: str, headers: Mapping[str, str], timeout: float) -> Answer:
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, names, answer.read())
    except OSError as error:
        raise InstanceError(f"no answer from http://{host}{path}: {error}") from error
    finally:
        connection.close()


def _session_token(timeout: float) -> str:
    global _token
    if _token[1] < time.monotonic():
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        answer = _exchange(METADATA_HOST, "PUT", "/latest/api/token", headers, timeout)
        if answer.status != 200:
            raise InstanceError(f"the metadata service gave no session token ({answer.status})")
        _token = (answer.body.decode(), time.monotonic() + TOKEN_SECONDS / 2)
    return _token[0]


def latest(path: str, *, timeout: float = 5.0) -> bytes:
    """What lies under `/latest/<path>`, for example `user-data`. Raises MetadataMissingError."""
    headers = {"X-aws-ec2-metadata-token": _session_token(timeout)}
    answer = _exchange(METADATA_HOST, "GET", f"/latest/{path}", headers, timeout)
    if answer.status == 404:
        raise MetadataMissingError(f"the metadata service has no {path}")
    if answer.status != 200:
        raise InstanceError(f"the metadata service answered {answer.status} for {path}")
    return answer.body


def metadata(path: str, *, timeout: float = 5.0) -> str:
    """What lies under `/latest/meta-data/<path>`, for example `instance-id`."""
    return latest(f"meta-data/{path}", timeout=timeout).decode()


def identity() -> dict[str, Any]:
    """The instance identity document: instanceId, imageId, region, accountId, privateIp, …"""
    if not _identity:
        _identity.update(json.loads(latest("dynamic/instance-identity/document")))
    return dict(_identity)


def region() -> str:
    from_environment = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return from_environment or str(identity()["region"])


def _read(document: bytes) -> Credentials:
    keys = json.loads(document)
    expires = datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00")).timestamp()
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], expires)


def _from_instance_role() -> Credentials:
    try:
        role = metadata("iam/security-credentials/").strip().splitlines()[0]
    except (MetadataMissingError, IndexError):
        raise InstanceError("this instance has no role: attach an instance profile to it") from None
    return _read(latest(f"meta-data/iam/security-credentials/{role}"))


def credentials() -> Credentials:
    """Keys from the environment, the container's endpoint or the instance's role, in this order."""
    global _credentials
    if "AWS_ACCESS_KEY_ID" in os.environ:
        token = os.environ.get("AWS_SESSION_TOKEN", "")
        return Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], token, 0.0)
    if _credentials.expires - REFRESH_SECONDS < time.time():
        container = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        if container:
            _credentials = _read(_exchange(CONTAINER_HOST, "GET", container, {}, 5.0).body)
        else:
            _credentials = _from_instance_role()
    return _credentials


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _signature(secret: str, date: str, scope: str, text: str) -> str:
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def signed_headers(
    service: str,
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    signing_region: str | None = None,
) -> dict[str, str]:
    """`headers` with date, token and a Signature Version 4 added. `path` is the path as sent."""
    keys = credentials()
    now = datetime.now(UTC)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    signed |= {"host": host, "x-amz-date": stamp, "x-amz-content-sha256": _hash(body)}
    if keys.token:
        signed["x-amz-security-token"] = keys.token
    names = ";".join(sorted(signed))
    canonical_path = path if service == "s3" else quote(path, safe="/~")
    canonical = "\n".join(
        (
            method,
            canonical_path,
            _query_string(query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            _hash(body),
        )
    )
    scope = f"{day}/{signing_region or region()}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{_hash(canonical.encode())}"
    signature = _signature(keys.secret_key, day, scope, text)
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


def _query_string(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query))


class _Lines(threading.local):
    """This thread's open connections, by host; a forked process begins without any."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._open: dict[str, http.client.HTTPSConnection] = {}

    def take(self, host: str, timeout: float) -> http.client.HTTPSConnection | None:
        """The connection to this host, if one is kept; nobody else has it then."""
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]
        found = self._open.pop(host, None)
        if found is not None:
            found.sock.settimeout(timeout)
        return found

    def keep(self, host: str, connection: http.client.HTTPSConnection) -> None:
        self._open[host] = connection


_lines = _Lines()


@functools.cache
def _trust() -> ssl.SSLContext:
    """The machine's trust store; reading it takes longer than a call."""
    return ssl.create_default_context()


def request(
    service: str,
    method: str,
    path: str = "/",
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    host: str | None = None,
    timeout: float = 30.0,
) -> Answer:
    """One signed HTTPS request, checked against the machine's trust store. Raises OSError."""
    host = host or f"{service}.{region()}.amazonaws.com"
    signed = signed_headers(service, method, host, path, query or {}, headers or {}, body)
    target = f"{path}?{_query_string(query)}" if query else path
    kept = _lines.take(host, timeout)
    if kept is not None:
        try:
            return _ask(kept, host, method, target, signed, body)
        except (ConnectionError, ssl.SSLEOFError):
            pass  # the service had closed it meanwhile
    connection = http.client.HTTPSConnection(host, timeout=timeout, context=_trust())
    return _ask(connection, host, method, target, signed, body)


def _ask(
    connection: http.client.HTTPSConnection,
    host: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """Ask on this connection, and keep it for the next request where the service does."""
    try:
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        found = Answer(answer.status, names, answer.read())
    except BaseException:
        connection.close()
        raise
    if answer.will_close:
        connection.close()
    else:
        _lines.keep(host, connection)
    return found


def call(
    service: str,
    action: str,
    payload: Mapping[str, Any],
    *,
    protocol: str = "json",
    version: str = "",
    host: str | None = None,
    timeout: float = 30.0,
    json_version: str = "1.1",
) -> dict[str, Any]:
    """One call of an AWS API and its result as a dict. Raises ServiceError, InstanceError, OSError.

    `json`: `action` is the whole X-Amz-Target (`AmazonSSM.UpdateInstanceInformation`).
    `query`: `action` is the operation's name and `version` the API's date; values are strings.
    """
    if protocol == "json":
        headers = {"Content-Type": f"application/x-amz-json-{json_version}", "X-Amz-Target": action}
        body = json.dumps(payload).encode()
    elif protocol == "query":
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode({"Action": action, "Version": version, **payload}).encode()
    else:
        raise ValueError(f"unknown protocol {protocol!r}: json and query are spoken here")
    answer = request(service, "POST", headers=headers, body=body, host=host, timeout=timeout)
    if answer.status >= 300:
        raise _refusal(answer)
    return _result(answer, action) if protocol == "query" else json.loads(answer.body or b"{}")


def get_object(bucket: str, key: str, *, version: str = "", timeout: float = 60.0) -> Answer:
    """An object of S3, its ETag and x-amz-version-id among the headers. Raises ServiceError."""
    query = {"versionId": version} if version else {}
    host = f"{bucket}.s3.{region()}.amazonaws.com"
    answer = request("s3", "GET", "/" + quote(key, safe="/~"), query=query, host=host, timeout=timeout)
    if answer.status >= 300:
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> ServiceError:
    text = answer.body.decode(errors="replace")
    if text.lstrip().startswith("{"):
        fields = json.loads(text)
        code = str(fields.get("__type") or fields.get("code") or "Unknown").rpartition("#")[2]
        return ServiceError(code, str(fields.get("message") or fields.get("Message") or ""), answer.status)
    try:
        found = {_tag(part): part.text or "" for part in ElementTree.fromstring(text).iter()}
    except ElementTree.ParseError:
        found = {}
    code = found.get("Code", f"HTTP{answer.status}")
    return ServiceError(code, found.get("Message", text[:300]), answer.status)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _value(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return element.text or ""
    if all(_tag(child) == "member" for child in children):
        return [_value(child) for child in children]
    return {_tag(child): _value(child) for child in children}


def _result(answer: Answer, action: str) -> dict[str, Any]:
    root = ElementTree.fromstring(answer.body)
    for child in root:
        if _tag(child) == f"{action}Result":
            value = _value(child)
            return value if isinstance(value, dict) else {}
    return {}
