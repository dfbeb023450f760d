"""Signature version 4, checked: a sandbox that runs shell commands must not obey every page in a browser.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from werkzeug import Request

from gbg_sandbox.credentials import Credential, Credentials
from gbg_sandbox.service import AwsError

ALGORITHM = "AWS4-HMAC-SHA256"
LEEWAY = timedelta(minutes=15)
UNSIGNED = "UNSIGNED-PAYLOAD"
CONTENT_HASH = "X-Amz-Content-SHA256"


@dataclass(frozen=True)
class Scope:
    """What an Authorization header or a presigned query says of itself."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str
    presigned: bool
    expires_seconds: int = 0

    @property
    def text(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_scope(request: Request) -> Scope | None:
    """The signature's scope; None when the request is not signed. Raises AwsError when it is garbled."""
    try:
        header = request.headers.get("Authorization", "")
        if header.startswith(ALGORITHM):
            return _from_header(request, header)
        if request.args.get("X-Amz-Algorithm") == ALGORITHM:
            return _from_query(request)
    except (KeyError, ValueError) as error:
        raise AwsError("IncompleteSignature", f"the signature can't be read: {error}", 400) from error
    return None


def _from_header(request: Request, header: str) -> Scope:
    fields = dict(part.strip().split("=", 1) for part in header[len(ALGORITHM) :].strip().split(","))
    access_key, date, region, service, _ = fields["Credential"].split("/")
    return Scope(
        access_key,
        date,
        region,
        service,
        tuple(fields["SignedHeaders"].split(";")),
        fields["Signature"],
        request.headers.get("X-Amz-Date", ""),
        request.headers.get("X-Amz-Security-Token", ""),
        presigned=False,
    )


def _from_query(request: Request) -> Scope:
    query = request.args
    access_key, date, region, service, _ = query["X-Amz-Credential"].split("/")
    return Scope(
        access_key,
        date,
        region,
        service,
        tuple(query["X-Amz-SignedHeaders"].split(";")),
        query["X-Amz-Signature"],
        query["X-Amz-Date"],
        query.get("X-Amz-Security-Token", ""),
        presigned=True,
        expires_seconds=int(query["X-Amz-Expires"]),
    )


def verify(request: Request, scope: Scope, credentials: Credentials) -> Credential:
    """Who signed. Raises AwsError in AWS's words for unknown, expired or wrong keys."""
    credential = credentials.find(scope.access_key)
    if credential is None:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    if credential.expired:
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
    if not hmac.compare_digest(credential.token, scope.token):
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    _check_time(scope)
    _check_headers(request, scope)
    expected = sign(canonical_request(request, scope), scope, credential.secret_key)
    if not hmac.compare_digest(expected, scope.signature):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            403,
        )
    return credential


def _check_time(scope: Scope) -> None:
    try:
        signed = datetime.strptime(scope.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise AwsError(
            "IncompleteSignature", f"X-Amz-Date must be a time like 20260101T120000Z: {error}", 400
        ) from error
    now = datetime.now(UTC)
    if scope.presigned:
        if now > signed + timedelta(seconds=scope.expires_seconds):
            raise AwsError("AccessDenied", "Request has expired", 403)
    elif abs(now - signed) > LEEWAY:
        raise AwsError(
            "RequestTimeTooSkewed", f"Signature expired: {scope.timestamp} is too far from now", 403
        )


def _check_headers(request: Request, scope: Scope) -> None:
    """What has to be signed, or else a request could be sent on to another place or with another body."""
    needed = ["host"]
    if not scope.presigned and CONTENT_HASH in request.headers:
        needed.append(CONTENT_HASH.lower())
    for name in needed:
        if name not in scope.signed_headers:
            raise AwsError(
                "InvalidSignatureException",
                f"'{name}' must be a 'SignedHeader' in the AWS Authorization.",
                403,
            )


def canonical_request(request: Request, scope: Scope) -> str:
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
    path, _, query = raw.partition("?")
    if scope.service != "s3":
        path = quote(path, safe="/~")
    headers = "".join(f"{name}:{_header(request, name)}\n" for name in scope.signed_headers)
    return "\n".join(
        [
            request.method,
            path or "/",
            _query(query),
            headers,
            ";".join(scope.signed_headers),
            _payload(request, scope),
        ]
    )


def _header(request: Request, name: str) -> str:
    if name == "host":
        return str(request.environ.get("HTTP_HOST", ""))
    return " ".join(str(request.headers.get(name, "")).split())


def _query(raw: str) -> str:
    pairs = [
        (quote(key, safe="~"), quote(value, safe="~"))
        for key, value in parse_qsl(raw, keep_blank_values=True)
        if key != "X-Amz-Signature"
    ]
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


def _payload(request: Request, scope: Scope) -> str:
    """Only S3 takes a body that is not signed."""
    if scope.presigned and scope.service == "s3":
        return UNSIGNED
    told = request.headers.get(CONTENT_HASH, "")
    if scope.service == "s3" and (told == UNSIGNED or told.startswith("STREAMING-")):
        return told
    actual = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    if told and told != actual:
        raise AwsError(
            "XAmzContentSHA256Mismatch", "The provided SHA256 does not match what was computed.", 400
        )
    return actual


def sign(canonical: str, scope: Scope, secret_key: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([ALGORITHM, scope.timestamp, scope.text, digest])
    key = f"AWS4{secret_key}".encode()
    for part in scope.text.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
