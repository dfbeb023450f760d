"""Event patterns take and refuse what EventBridge does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gbg_sandbox.services.events.patterns import InvalidPatternError, matches, parse

PUSH = {
    "source": "aws.codecommit",
    "detail-type": "CodeCommit Repository State Change",
    "resources": ["arn:aws:codecommit:us-east-1:123456789012:gbg-app"],
    "detail": {"event": "referenceUpdated", "referenceType": "branch", "referenceName": "main", "count": 3},
}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ({"source": ["aws.codecommit"]}, True),
        ({"source": ["aws.codebuild"]}, False),
        ({"resources": ["arn:aws:codecommit:us-east-1:123456789012:gbg-app"]}, True),
        ({"detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]}}, True),
        ({"detail": {"event": ["referenceUpdated"], "referenceName": ["other"]}}, False),
        ({"detail": {"referenceName": [{"prefix": "ma"}]}}, True),
        ({"detail": {"referenceName": [{"prefix": {"equals-ignore-case": "MA"}}]}}, True),
        ({"detail": {"referenceName": [{"suffix": "in"}]}}, True),
        ({"detail": {"referenceName": [{"suffix": "ma"}]}}, False),
        ({"detail": {"referenceName": [{"anything-but": ["main"]}]}}, False),
        ({"detail": {"referenceName": [{"anything-but": {"prefix": "feature/"}}]}}, True),
        ({"detail": {"missing": [{"anything-but": "main"}]}}, False),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"event": [{"exists": False}]}}, False),
        ({"detail": {"event": [{"exists": True}]}}, True),
        ({"detail": [{"exists": True}]}, False),
        ({"detail": {"count": [{"numeric": [">", 0, "<=", 3]}]}}, True),
        ({"detail": {"count": [{"numeric": ["=", 4]}]}}, False),
        ({"detail": {"count": [3.0]}}, True),
        ({"detail": {"count": ["3"]}}, False),
        ({"resources": [{"wildcard": "arn:aws:*:gbg-*"}]}, True),
        ({"resources": [{"wildcard": "gbg-*"}]}, False),
        ({"detail": {"event": [{"equals-ignore-case": "REFERENCEUPDATED"}]}}, True),
        ({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [3]}}]}, True),
        ({"$or": [{"source": ["aws.s3"]}, {"detail": {"count": [4]}}]}, False),
        ({"source": ["aws.codecommit"], "account": ["1"]}, False),
    ],
)
def test_a_pattern_wants_what_eventbridge_would_deliver(pattern: dict[str, Any], wanted: bool) -> None:
    assert matches(parse(json.dumps(pattern)), PUSH) is wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "not an object"),
        ("{}", "Empty filter"),
        ('{"source": "aws.s3"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays"),
        ('{"source": [{"startswith": "aws"}]}', "Unrecognized match type startswith"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"detail": {"n": [{"numeric": ["~", 1]}]}}', "Value of numeric"),
        ('{"$or": [{"source": ["a"]}]}', "at least two"),
    ],
)
def test_a_wrong_pattern_is_refused_when_it_is_put(text: str, said: str) -> None:
    with pytest.raises(InvalidPatternError, match=said.replace("(", r"\(")):
        parse(text)


def test_a_wildcard_takes_an_escaped_star_as_itself() -> None:
    pattern = parse(json.dumps({"source": [{"wildcard": r"a\*b*"}]}))
    assert matches(pattern, {"source": "a*bcd"})
    assert not matches(pattern, {"source": "axbcd"})
