"""What `pytest --nbval runbooks/` lets differ between two runs, and what it never does."""

from __future__ import annotations

import re

import pytest
from nbval.plugin import get_sanitize_patterns

from tests.notebooks.compared import NORMALISERS, settled

SECTION = re.compile(r"^\[(.+)\]\n((?:# .*\n)+)regex: (.+)\nreplace: (.+)$", re.MULTILINE)
SECTIONS = {name: (pattern, to) for name, _, pattern, to in SECTION.findall(NORMALISERS.read_text())}

DIFFER = {
    "network, template and snapshot ids": [
        ("lt-f5443c1c1d06cbfcf", "lt-0123456789abcdef0"),
        ("snap-c2d305cd05b3dbd28", "snap-e9ec7e5e2712cdaf6"),
    ],
    "deployment ids": [
        ("d-ABCDEF123", "d-Z9Y8X7W6V"),
        ("CodeDeploy_gbg-fleet_d-ABCDEF123", "CodeDeploy_gbg-fleet_d-Z9Y8X7W6V"),
    ],
    "uuids": [
        ("gbg-build:0cb6c388-a9f7-4c29-8fca-f43bf8dcbd2a", "gbg-build:11111111-2222-3333-4444-555555555555")
    ],
    "change sets": [("gbg-base-0123456789ab", "gbg-base-ba9876543210")],
    "failed releases": [("release ce5e41b8: Build/Build failed", "release 5f2c9e4d: Build/Build failed")],
    "releases in a row": [("513b058f Succeeded", "1fc4b478 Succeeded")],
    "moments": [('"began": "2026-11-28T15:58:44.496239+00:00"', '"began": "2027-01-02T03:04:05+00:00"')],
    "build folders": [("/codebuild/output/src2427882014/src/a", "/codebuild/output/src1/src/a")],
    "load balancer arns": [
        (
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gbg/7a719e3f242fc524",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gbg/0000111122223333",
        ),
        ("loadbalancer/app/gbg/e6bc4b7876a1d7b9", "loadbalancer/app/gbg/0000111122223333"),
    ],
    "physical names": [
        ("role/gbg-base-BakeRole-pyvniBvBSPDb", "role/gbg-base-BakeRole-VlUv2Uf3urlY"),
        ("bucket gbg-base-records-zyfaceuk4wzu", "bucket gbg-base-records-0ina9mdm4pqk"),
    ],
    "ports": [
        ("http://localhost:36603/", "http://localhost:4566/"),
        ("http://127.0.0.1:44543/v1", "http://127.0.0.1:80/v1"),
    ],
    "durations": [("took 3.2 s", "took 48 s"), ("<td>2 min 5 s</td>", "<td>1 h 3 min</td>")],
    "visits": [("blue  37 visits", "blue  4 visits"), ("blue · done · 1 visit", "blue · done · 4 visits")],
    "alignment": [("Source  Succeeded  1.0 s  x", "Source    Succeeded    12 min 3 s  x")],
}
"""section → pairs that are the same but for what it names"""

MUST_DIFFER = [
    ("Deploy  Succeeded  3.2 s", "Deploy  Failed  3.2 s"),
    ("513b058f Succeeded", "513b058f Failed"),
    ("CREATE_COMPLETE", "UPDATE_COMPLETE"),
    ("2 instances serve", "1 instances serve"),
    ("45 of 45 resources done", "44 of 45 resources done"),
    ("http://localhost:36603/ answers 200", "http://localhost:36603/ answers 503"),
    ("gbg-blue  us-east-1a", "gbg-blue  us-east-1b"),
    ("template version 1", "template version 2"),
    ("<td>InService</td>", "<td>Pending</td>"),
    ("<tr><td>a</td></tr>", "<tr><td>a</td></tr>\n<tr><td>a</td></tr>"),
    ("Source\nBuild", "Build\nSource"),
    ("role/gbg-base-BakeRole-pyvniBvBSPDb", "role/gbg-base-BuildRole-pyvniBvBSPDb"),
    ("http://localhost:36603/", "http://elsewhere:36603/"),
    ("i-88344d02c93d0bd87", "ami-88344d02c93d0bd87"),
    ("2023.12.20260710", "2023.11.20260427"),
    ("main is at ce5e41b8", "trunk is at ce5e41b8"),
    ("AWS::EC2::Subnet  Add  2", "AWS::EC2::Subnet  Add  3"),
    ("", "i-88344d02c93d0bd87"),
]


def normalised(text: str) -> str:
    """As nbval does it."""
    for pattern, to in dict(get_sanitize_patterns(NORMALISERS.read_text())).items():
        text = re.sub(pattern, to, text)
    return text


def test_nbval_reads_every_section_and_each_has_a_name_and_a_reason() -> None:
    assert get_sanitize_patterns(NORMALISERS.read_text()) == list(SECTIONS.values())
    assert len({pattern for pattern, _ in SECTIONS.values()}) == len(SECTIONS)
    assert set(SECTIONS) == set(DIFFER), "each is shown by an example here"


@pytest.mark.parametrize("name", DIFFER)
def test_what_a_normaliser_names_may_differ(name: str) -> None:
    for one, other in DIFFER[name]:
        assert one != other
        assert normalised(one) == normalised(other)


@pytest.mark.parametrize("name", DIFFER)
def test_no_normaliser_is_there_for_nothing(name: str) -> None:
    pattern, to = SECTIONS[name]
    assert all(re.sub(pattern, to, one) != one for one, _ in DIFFER[name])


@pytest.mark.parametrize(("one", "other"), MUST_DIFFER)
def test_everything_else_is_a_difference(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def message(kind: str, text: str, display: str = "") -> dict[str, object]:
    transient = {"display_id": display} if display else {}
    content = {"data": {"text/plain": text}, "metadata": {}, "transient": transient}
    return {"msg_type": kind, "content": content}


def test_an_updated_display_is_compared_in_its_last_state() -> None:
    heard = [
        message("display_data", "other"),
        message("display_data", "first", "a"),
        message("update_display_data", "second", "a"),
        message("update_display_data", "last", "a"),
        message("execute_result", "result"),
        message("update_display_data", "of another cell", "b"),
    ]
    told = [(one["msg_type"], one["content"]["data"]["text/plain"]) for one in settled(heard)]
    assert told == [
        ("display_data", "other"),
        ("display_data", "last"),
        ("execute_result", "result"),
        ("update_display_data", "of another cell"),
    ]
