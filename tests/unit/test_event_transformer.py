"""What a target gets of an event."""

from __future__ import annotations

import json

import pytest

from gbg_sandbox.services.events.transformer import InvalidPathError, RuleNames, path_steps, target_input

EVENT = {
    "time": "2026-11-24T10:00:00Z",
    "source": "aws.codecommit",
    "detail": {"commitId": "abc", "files": ["one", "two"], "by": {"name": 'Eve "E"'}},
}
RULE = RuleNames("arn:aws:events:us-east-1:123456789012:rule/push", "push")


def test_the_whole_event_is_the_default() -> None:
    assert json.loads(target_input({}, EVENT, RULE)) == EVENT


def test_a_path_takes_a_part_and_a_constant_takes_nothing() -> None:
    assert target_input({"InputPath": "$.detail.files[1]"}, EVENT, RULE) == '"two"'
    assert target_input({"Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'


def test_a_template_is_filled_bare_inside_quotes_and_as_json_outside() -> None:
    transformer = {
        "InputPathsMap": {
            "commit": "$.detail.commitId",
            "files": "$.detail.files",
            "who": "$.detail.by.name",
        },
        "InputTemplate": '{"t": "<commit> by <who> (<aws.events.rule-name>)", "f": <files>, "c": <commit>}',
    }
    filled = json.loads(target_input({"InputTransformer": transformer}, EVENT, RULE))
    assert filled == {"t": 'abc by Eve "E" (push)', "f": ["one", "two"], "c": "abc"}


def test_what_the_event_lacks_is_null() -> None:
    transformer = {
        "InputPathsMap": {"no": "$.detail.none"},
        "InputTemplate": '{"no": <no>, "text": "-<no>-"}',
    }
    assert json.loads(target_input({"InputTransformer": transformer}, EVENT, RULE)) == {
        "no": None,
        "text": "--",
    }


@pytest.mark.parametrize("path", ["detail", "$.a..b", "$.a[x]"])
def test_a_wrong_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidPathError):
        path_steps(path)
