"""What has to be signed, and that only S3 takes a body that is not."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.credentials import Credential

BODY = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
FORM = "application/x-www-form-urlencoded; charset=utf-8"


@pytest.fixture
def key(cloud: Cloud) -> Credential:
    found: Credential = cloud.service("iam").operator()
    return found


class Partly(SigV4Auth):
    """Leaves a header out of what it signs."""

    left_out = ""

    def headers_to_sign(self, request: Any) -> Any:
        found = super().headers_to_sign(request)
        del found[self.left_out]
        return found


def signed(
    cloud: Cloud, key: Credential, auth: type[SigV4Auth] = SigV4Auth, told: str = ""
) -> dict[str, str]:
    """A request's headers; `told` is what they say of its body's hash."""
    headers = {"Content-Type": FORM, **({"X-Amz-Content-SHA256": told} if told else {})}
    request = AWSRequest("POST", cloud.endpoint_url + "/", headers, BODY)
    auth(Credentials(key.access_key, key.secret_key), "sts", cloud.region).add_auth(request)
    return dict(request.headers.items())


def ask(cloud: Cloud, headers: dict[str, str], body: bytes = BODY) -> tuple[int, str]:
    request = urllib.request.Request(cloud.endpoint_url + "/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_signed_request_is_answered(cloud: Cloud, key: Credential) -> None:
    assert ask(cloud, signed(cloud, key))[0] == 200


def test_a_body_that_is_not_signed_is_refused(cloud: Cloud, key: Credential) -> None:
    headers = signed(cloud, key, told="UNSIGNED-PAYLOAD")
    status, text = ask(cloud, headers, BODY.replace(b"Caller", b"Other"))
    assert (status, "XAmzContentSHA256Mismatch" in text) == (400, True)


def test_host_and_the_bodys_hash_must_be_signed(cloud: Cloud, key: Credential) -> None:
    class WithoutHost(Partly):
        left_out = "host"

    class WithoutHash(Partly):
        left_out = "x-amz-content-sha256"

    status, text = ask(cloud, signed(cloud, key, WithoutHost))
    assert (status, "'host' must be a 'SignedHeader'" in text) == (403, True)
    headers = signed(cloud, key, WithoutHash, "UNSIGNED-PAYLOAD")
    assert "'x-amz-content-sha256' must be a 'SignedHeader'" in ask(cloud, headers)[1]


def test_a_request_without_a_date_is_incomplete(cloud: Cloud, key: Credential) -> None:
    headers = signed(cloud, key)
    del headers["X-Amz-Date"]
    status, text = ask(cloud, headers)
    assert (status, "IncompleteSignature" in text) == (400, True)


def test_presigned_addresses_serve_for_s3_and_for_other_services(cloud: Cloud, key: Credential) -> None:
    def client(service: str) -> Any:
        made: Any = boto3.session.Session()
        return made.client(
            service,
            region_name=cloud.region,
            endpoint_url=cloud.endpoint_url,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            config=Config(signature_version="s3v4" if service == "s3" else "v4"),
        )

    s3 = client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key="a", Body=b"one")
    addresses = [
        s3.generate_presigned_url("get_object", {"Bucket": "artifacts", "Key": "a"}),
        client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET"),
    ]
    bodies = [urllib.request.urlopen(address, timeout=20).read() for address in addresses]
    assert bodies[0] == b"one"
    assert b":user/operator" in bodies[1]


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("iam", "get_role", {}, "ValidationError"),
        ("sns", "tag_resource", {"ResourceArn": "arn", "Tags": [{"Key": "a"}]}, "ValidationError"),
        ("logs", "create_log_group", {}, "ValidationException"),
    ],
)
def test_parameters_are_checked_also_of_what_is_only_stored(
    cloud: Cloud, key: Credential, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    made: Any = boto3.session.Session()
    unchecked = made.client(
        service,
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        config=Config(parameter_validation=False),
    )
    with pytest.raises(ClientError) as caught:
        getattr(unchecked, operation)(**params)
    assert caught.value.response["Error"]["Code"] == code
