"""Gates: three verdicts, a limit in time, and a person for what a gate can't tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gbg_lib.errors import AccessRefused, AwsError, GateRefused
from gbg_lib.gates.gate import Answer, Finding, Gate, Judgement, answering, judge, require_open, watch
from tests.unit.aws_fakes import connected

UNSURE = Finding("can't tell", "3 of 10 requests are in")


class Looks:
    """Findings or errors, one a look; the last one stays."""

    def __init__(self, *found: Finding | Exception) -> None:
        self.found = list(found)
        self.looked = 0

    def __call__(self) -> Finding:
        self.looked += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, Exception):
            raise found
        return found


def gate(look: Callable[[], Finding], limit_seconds: float = 60) -> Gate:
    return Gate("figures", "green errs no more than blue", limit_seconds, look)


def nobody(judgement: Judgement) -> Answer:
    raise AssertionError("nobody is to be asked")


def test_a_look_that_knows_ends_the_judging() -> None:
    looks = Looks(Finding("pass", "none erred"), Finding("fail", "never seen"))
    judged = judge(connected(), gate(looks))
    assert (judged.verdict, judged.found, judged.decided_by, looks.looked) == (
        "pass",
        "none erred",
        "the gate",
        1,
    )


def test_what_cant_be_told_yet_is_looked_at_again_and_told_once() -> None:
    looks = Looks(UNSURE, UNSURE, UNSURE, Finding("fail", "half of them erred"))
    told = list(watch(connected(), gate(looks)))
    assert [(one.verdict, one.found) for one in told] == [
        ("can't tell", "3 of 10 requests are in"),
        ("fail", "half of them erred"),
    ]
    assert looks.looked == 4


def test_time_that_is_up_is_no_pass() -> None:
    judged = judge(connected(), gate(Looks(UNSURE), limit_seconds=0))
    assert judged.verdict == "can't tell"
    assert judged.found == "3 of 10 requests are in; not known after 0 s"


def test_an_error_is_looked_at_again_but_a_missing_right_is_not() -> None:
    passing = Looks(AwsError("cloudwatch", "Throttling", "wait"), Finding("pass", "quiet"))
    assert judge(connected(), gate(passing)).verdict == "pass"
    refused = Looks(AccessRefused("cloudwatch", "not authorised", "ask for it"))
    judged = judge(connected(), gate(refused))
    assert (judged.verdict, judged.found, judged.try_this) == (
        "can't tell",
        "cloudwatch: not authorised",
        "ask for it",
    )
    assert refused.looked == 1


def judgement(verdict: str) -> Judgement:
    return judge(connected(), gate(Looks(Finding(verdict, "half of them", "wait")), limit_seconds=0))  # type: ignore[arg-type]


def test_a_pass_asks_nobody() -> None:
    passed = judgement("pass")
    assert require_open([passed], nobody) == [passed]


def test_a_fail_can_t_be_overruled() -> None:
    with pytest.raises(
        GateRefused, match="gate figures: it is shut; it asks that green errs no more than"
    ) as shut:
        require_open([judgement("pass"), judgement("fail")], nobody)
    assert shut.value.try_this == "wait"


@pytest.mark.parametrize("answer", ["go", "stop"])
def test_what_cant_be_told_a_person_decides(answer: Answer) -> None:
    asked: list[str] = []

    def person(unsure: Judgement) -> Answer:
        asked.append(unsure.gate)
        return answer

    if answer == "go":
        [decided] = require_open([judgement("can't tell")], person)
        assert (decided.verdict, decided.decided_by) == ("pass", "a person")
    else:
        with pytest.raises(GateRefused, match="stays shut: it can't tell"):
            require_open([judgement("can't tell")], person)
    assert asked == ["figures"]


def test_nobody_there_is_a_refusal_that_names_the_parameter() -> None:
    with pytest.raises(GateRefused, match="can't tell whether green errs no more than blue: half") as refused:
        require_open([judgement("can't tell")], answering(""))
    assert "-p decision=go" in refused.value.try_this
    assert require_open([judgement("can't tell")], answering("go"))[0].open
    with pytest.raises(GateRefused, match="stays shut"):
        require_open([judgement("can't tell")], answering("stop"))
