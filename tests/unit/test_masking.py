"""What is kept holds no secret."""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote

import pytest
from markupsafe import escape

from gbg_lib.errors import GateRefused
from gbg_lib.secret.masking import MASK, Masking
from gbg_lib.secret.values import forget, learn_environment, masking


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key AKIAIOSFODNN7EXAMPLE is used", "IOSFODNN7EXAMPLE"),
        ("export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ('{"sessionToken": "IQoJb3JpZ2luX2VjEXAMPLE"}', "IQoJb3JpZ2luX2Vj"),
        ("git clone https://deploy:hunter22@git.example.org/x", "hunter22"),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=0123abcd&x=1", "0123abcd"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("db.password = s3cr3t-one", "s3cr3t-one"),
        ("DB_PASSWD: 's3cr3t-one'", "s3cr3t-one"),
        ("mvn -Dauth-token=s3cr3t-one deploy", "s3cr3t-one"),
        ('{"apiKey": "s3cr3t-one"}', "s3cr3t-one"),
        ("AUTHORIZATION: BASIC dXNlcjpodW50ZXIyMg==", "dXNlcjpodW50ZXIyMg"),
        (f"AWSAccessKeyId=x&SIGNATURE={'0a' * 32}", "0a0a"),
        (f"remote: ghp_{'Ab1' * 12}", "Ab1Ab1"),
        (f"github_pat_{'Ab1_' * 8}", "Ab1_Ab1"),
        ("xoxb-1234567890-abcdef", "1234567890"),
        ("POST https://hooks.slack.com/services/T0/B0/s3cr3tone", "s3cr3tone"),
        (f"token FwoGZXIvYXdz{'Ab1/' * 8}", "Ab1/Ab1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIi"),
    ],
)
def test_a_secret_is_masked_by_its_looks(text: str, secret: str) -> None:
    masked = Masking().text(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "commit 4ab0e78bb44d5a4d194b4c1cf9fd8109130e89fa of Secrets Manager",
        "arn:aws:iam::123456789012:role/gbg-base-BakeRole",
        "https://us-east-1.console.aws.amazon.com/codesuite/codedeploy/deployments/d-H7BBRKXK0?region=us-east-1",
        "token bucket of the passer-by",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Masking().text(text) == text


def test_a_known_value_is_masked_wherever_it_stands() -> None:
    known = Masking(["correct horse"])
    found = known.value({"log": ["said: correct horse!"], "n": {"deep": "xcorrect horsex"}})
    assert "correct horse" not in json.dumps(found)
    assert known.content(b"\xff correct horse") == b"\xff " + MASK.encode()


AWKWARD = 'pl4nted "s€cret" & <more>/+='


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"x": AWKWARD}),
        json.dumps({"x": AWKWARD}, ensure_ascii=False),
        repr({"x": AWKWARD}),
        ascii(AWKWARD),
        repr(AWKWARD.encode()),
        html.escape(f"<b>{AWKWARD}</b>"),
        "https://example.com/?x=" + quote(AWKWARD, safe=""),
        "https://example.com/?x=" + quote(AWKWARD, safe="").lower(),
        str(escape(AWKWARD)),
        f"mysql --password {shlex.quote(AWKWARD)}",
        AWKWARD.encode().hex(),
        base64.urlsafe_b64encode(AWKWARD.encode()).decode(),
        base64.b64encode(AWKWARD.encode()).decode(),
        base64.b64encode(b"user:" + AWKWARD.encode() + b"\n").decode(),
    ],
)
def test_a_known_value_is_masked_however_it_is_written(written: str) -> None:
    masked = Masking([AWKWARD]).text(f"before {written} after")
    assert MASK in masked
    assert masked.startswith("before ") and masked.endswith(" after")
    for part in ("pl4nted", base64.b64encode(AWKWARD.encode()).decode()[4:20]):
        assert part not in masked


def test_a_key_that_is_a_known_value_is_masked() -> None:
    assert Masking(["correct horse"]).value({"data": {"correct horse": 1}}) == {"data": {MASK: 1}}


def test_every_line_of_a_known_value_is_masked() -> None:
    assert Masking(["first long line\nsecond long line\n"]).text("| second long line |") == f"| {MASK} |"


def test_a_picture_keeps_its_letters() -> None:
    picture = {"image/png": "AKIA" + "A" * 16}
    assert Masking().value(picture) == picture


@pytest.mark.parametrize(
    "text", ["https://hooks.slack.com/services/T0/B0/xyz", "github_pat_" + "a" * 22, "xoxb-1234567890-abc"]
)
def test_tokens_of_chats_and_hosts_are_masked(text: str) -> None:
    assert Masking().text(text) == text[: text.find("services")] * ("services" in text) + MASK


def test_names_tell_secrets() -> None:
    found = Masking().value(
        {
            "Parameters": [
                {"Name": "/gbg/db", "Type": "SecureString", "Value": "AQICAHh"},
                {"Name": "DB_PASSWORD", "Type": "String", "Value": "open"},
                {"Name": "/gbg/golden-ami", "Type": "String", "Value": "ami-1"},
            ],
            "adminPassword": "pw",
            "NextToken": "abc",
            "empty_secret": "",
        }
    )
    assert [one["Value"] for one in found["Parameters"]] == [MASK, MASK, "ami-1"]
    assert found["adminPassword"] == MASK
    assert found["NextToken"] == "abc"
    assert found["empty_secret"] == ""


def test_a_short_value_blackens_no_words() -> None:
    assert Masking(["on"]).text("one of a person's") == "one of a person's"


def test_a_password_in_an_address_of_the_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://shop:pl4nted%2Fone@db/shop")
    learn_environment()
    try:
        assert masking().text("said pl4nted/one") == f"said {MASK}"
    finally:
        forget()


def test_a_private_key_in_an_error_is_masked_in_the_notebook_too() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpl4nted\n-----END RSA PRIVATE KEY-----"
    shown = GateRefused("gate", f"{key} is no name", "another")._render_traceback_()
    assert Masking().value(shown) == ["gate: **** is no name\n  try: another"]
