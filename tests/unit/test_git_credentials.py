"""git's way in: the password is the signature that AWS and the sandbox expect."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from gbg_lib import git_credentials
from gbg_lib.git_credentials import sign
from gbg_sandbox.services.codecommit.smart_http import git_signature

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
KEYS = ReadOnlyCredentials("AKIAX", "secret", None)
PATH = "v1/repos/gbg-app"


def botocores_signature(region: str, host: str) -> str:
    """The sum with botocore's signer, as AWS's own helper uses it."""
    signer = SigV4Auth(Credentials("AKIAX", "secret"), "codecommit", region)
    request = AWSRequest(method="GIT", url=f"http://{host}/{PATH}")
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%S")
    text = signer.string_to_sign(request, f"GIT\n/{PATH}\n\nhost:{host}\n\nhost\n")
    return str(signer.signature(text, request))


def test_the_password_is_time_and_signature_and_the_port_does_not_count() -> None:
    expected = "20261124T010203Z" + botocores_signature("eu-west-1", "127.0.0.1")
    assert sign("127.0.0.1:4566", PATH, "eu-west-1", KEYS, NOW) == ("AKIAX", expected)


@pytest.mark.parametrize(
    "host",
    ["git-codecommit.ap-south-1.amazonaws.com", "git-codecommit-fips.ap-south-1.amazonaws.com"],
)
def test_amazons_host_names_the_region(host: str) -> None:
    _, password = sign(host, PATH, "eu-west-1", KEYS, NOW)
    assert password.partition("Z")[2] == botocores_signature("ap-south-1", host)


def test_a_host_that_only_begins_like_amazons_names_no_region() -> None:
    host = "git-codecommit.ap-south-1.amazonaws.com.example.org"
    _, password = sign(host, PATH, "eu-west-1", KEYS, NOW)
    assert password.partition("Z")[2] == botocores_signature("eu-west-1", host)


def test_the_sandbox_expects_the_same_signature() -> None:
    _, password = sign("127.0.0.1:4566", PATH, "us-east-1", KEYS, NOW)
    expected = git_signature("secret", "us-east-1", "127.0.0.1:4566", f"/{PATH}", "20261124T010203")
    assert password == f"20261124T010203Z{expected}"


def test_a_session_token_travels_in_the_user_name() -> None:
    user, _ = sign("h", PATH, "us-east-1", ReadOnlyCredentials("ASIAX", "secret", "to/k+en="), NOW)
    assert user == "ASIAX%to/k+en="


def helper(*words: str, told: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, git_credentials.__file__, *words],
        input=told,
        env={"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("told", "environment", "words"),
    [
        ("protocol=http\nhost=h\n", {}, "useHttpPath"),
        (f"host=h\npath={PATH}\n", {}, "no AWS keys"),
        (f"host=h\npath={PATH}\n", {"AWS_PROFILE": "nobody"}, "nobody"),
    ],
)
def test_what_is_missing_is_said(told: str, environment: dict[str, str], words: str) -> None:
    done = helper("get", told=told, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr and "Traceback" not in done.stderr


def test_git_is_answered_and_nothing_is_kept() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "secret"}
    answered = helper("get", told=f"host=h\npath={PATH}\n", **keys)
    assert answered.stdout.startswith("username=AKIAX\npassword=2")
    assert helper("store", told="host=h\n").stdout == ""
