"""What is kept holds no secret."""

from __future__ import annotations

import json

import pytest

from gbg_lib.masking import MASK, Masking


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
    masking = Masking(["correct horse"])
    found = masking.value({"log": ["said: correct horse!"], "n": {"deep": "xcorrect horsex"}})
    assert "correct horse" not in json.dumps(found)
    assert masking.content(b"\xff correct horse") == b"\xff " + MASK.encode()


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
