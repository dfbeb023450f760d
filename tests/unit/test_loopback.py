"""No proxy between this machine and itself."""

from __future__ import annotations

import pytest

from gbg_lib.loopback import exemption

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "exempted"),
    [
        ({}, None),
        ({"http_proxy": ""}, None),
        ({"no_proxy": "example.com"}, None),
        ({"http_proxy": PROXY}, "localhost,127.0.0.1"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com, localhost"}, "example.com,localhost,127.0.0.1"),
        (
            {"ALL_PROXY": PROXY, "no_proxy": "a.example", "NO_PROXY": "b.example"},
            "a.example,localhost,127.0.0.1",
        ),
        ({"http_proxy": PROXY, "no_proxy": "*"}, "*"),
    ],
)
def test_a_shells_own_exemptions_stay(environment: dict[str, str], exempted: str | None) -> None:
    expected = {} if exempted is None else {"no_proxy": exempted, "NO_PROXY": exempted}
    assert exemption(environment) == expected
