"""The name server's answers, byte by byte."""

from __future__ import annotations

import struct

import pytest

from gbg_sandbox.machines.dns import answer, resolve

ENDPOINT = "169.254.169.252"


def _hosts(name: str) -> str | None:
    return {"builder": "10.0.9.9"}.get(name)


def _query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ssm.us-east-1.amazonaws.com", ENDPOINT),
        ("Bucket.S3.us-east-1.AMAZONAWS.com.", ENDPOINT),
        ("ip-10-0-1-5.ec2.internal", "10.0.1.5"),
        ("ip-10-0-1-5", "10.0.1.5"),
        ("ip-10-0-1-5.eu-west-1.compute.internal", "10.0.1.5"),
        ("builder", "10.0.9.9"),
        ("ip-10-0-1-555.ec2.internal", None),
        ("amazonaws.com.example.com", None),
        ("pypi.org", None),
    ],
)
def test_names(name: str, address: str | None) -> None:
    assert resolve(name, _hosts, ENDPOINT) == address


def test_an_address_comes_as_one_record() -> None:
    reply = answer(_query("builder"), _hosts, ENDPOINT)
    number, flags, questions, answers = struct.unpack_from("!HHHH", reply)
    assert (number, flags & 0x800F, questions, answers) == (7, 0x8000, 1, 1)
    assert reply.endswith(bytes([0, 4, 10, 0, 9, 9]))


def test_a_known_name_without_ipv6_is_an_empty_answer_not_an_unknown_name() -> None:
    flags, _questions, answers = struct.unpack_from(
        "!HHH", answer(_query("builder", 28), _hosts, ENDPOINT), 2
    )
    assert (flags & 0xF, answers) == (0, 0)


def test_an_unknown_name_is_nxdomain() -> None:
    assert struct.unpack_from("!H", answer(_query("example.com"), _hosts, ENDPOINT), 2)[0] & 0xF == 3


def test_a_broken_query_is_a_format_error() -> None:
    assert struct.unpack_from("!H", answer(_query("a")[:14], _hosts, ENDPOINT), 2)[0] & 0xF == 1
