"""Which version stands in for one that Debian has not packaged."""

from __future__ import annotations

import pytest

from gbg_sandbox.maven.versions import nearest


@pytest.mark.parametrize(
    ("wanted", "known", "given"),
    [
        ("3.3.2", ["3.3.1", "3.3.2"], "3.3.2"),
        ("3.4.0", ["2.6", "3.3.0", "3.3.2"], "3.3.2"),
        ("3.1", ["2.6", "3.3.0", "3.10.1"], "3.3.0"),
        ("6.0.0", ["5.0.0", "debian"], "5.0.0"),
        ("5.11.3", ["5.9.2", "debian"], "5.9.2"),
        ("1.0", ["debian"], "debian"),
        ("1.0", ["4.x", "debian"], "4.x"),
        ("31.1-jre", ["31.0", "33.0"], "31.0"),
        ("1.0", [], None),
    ],
)
def test_nearest(wanted: str, known: list[str], given: str | None) -> None:
    assert nearest(wanted, known) == given
