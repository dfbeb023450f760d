"""Live views: twins with the same figures, at most so many requests, a clean end on an interrupt."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from gbg_lib.deployments import BATCH_TARGETS, LifecycleEvent, Target
from gbg_lib.errors import NotThere, StackFailed
from gbg_lib.pipeline import Action
from gbg_lib.progress import LEARNER
from gbg_lib.stacks import StackEvent
from gbg_lib.typical import Usual, of_stages, shipped
from gbg_lib.views.cell import belongs
from gbg_lib.views.live.board import Board, Row, Section
from gbg_lib.views.live.following import INTERRUPTED, STOPPED, following
from gbg_lib.views.live.marks import mark
from gbg_lib.views.live.release import ReleaseState, ReleaseView
from gbg_lib.views.live.release import board as release_board
from gbg_lib.views.live.release_picture import drawing as release_drawing
from gbg_lib.views.live.stack import StackView, show_stack, stack_state
from gbg_lib.views.live.stack import board as stack_board
from gbg_lib.views.live.stack import drawing as stack_drawing
from gbg_lib.views.live.svg import FILLS, SIDES
from gbg_lib.views.shown import INK as NOTE_INK
from gbg_lib.views.shown import ORANGE
from gbg_lib.views.site import Frame
from gbg_lib.watch.budget import REQUESTS_A_SECOND
from gbg_lib.watch.pieces import LAST_LINES, Piece, shown
from gbg_lib.watch.release import Inside
from gbg_lib.watch.traffic import Traffic, Visit, counts
from tests.unit.aws_fakes import connected, refusal
from tests.unit.release_fakes import BEGIN, at
from tests.unit.site import serving

FIGURE = re.compile(r"\d+(?:\.\d+)?")
DEPLOYMENT = "d-GREEN0001"
BEHIND = "be410318-e912-4b51-b80e-9c8a0af50dca"


def visible(markup: str) -> str:
    """What a page or picture says, without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


def said(svg: str) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join(one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text"))


def action(stage: str, begin: float, end: float, status: str = "Succeeded", behind: str = BEHIND) -> Action:
    return Action(f"{stage}-1", stage, stage, status, at(begin), at(end), behind)


def event(name: str, kind: str, status: str, reason: str = "") -> StackEvent:
    return StackEvent(f"{name}-{status}", BEGIN, name, kind, status, reason)


STACK = [
    event("gbg-base", "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS"),
    event("Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE", "ignored"),
    event("Role", "AWS::IAM::Role", "CREATE_FAILED", "denied"),
]
PLANNED = {"Vpc": "AWS::EC2::VPC", "SubnetA": "AWS::EC2::Subnet", "Role": "AWS::IAM::Role"}
GREEN = Target(
    "i-0123456789abcdef0",
    "Green",
    "InProgress",
    (
        LifecycleEvent("BeforeInstall", "Succeeded", at(60), at(62)),
        LifecycleEvent("Install", "InProgress", at(62), None),
    ),
)
STATE = ReleaseState(
    actions=(action("Source", 0, 1.24), action("BuildGoldenAMI", 2, 65), action("Deploy", 66, 90)),
    bake=(Piece("launchBuilder", "Success", 3.2), Piece("updateSystem", "Failed", 41.0)),
    bake_lines=("Installing : kernel-6.1",),
    build=(Piece("BUILD", "SUCCEEDED", 12.5),),
    machines=(GREEN,),
    health={GREEN.instance: "initial"},
    visits=(Visit(0.0, "blue"), Visit(4.5, "blue"), Visit(9.0, "green")),
    usual=of_stages("aws", []),
    over=True,
)


class TestTwins:
    @pytest.mark.parametrize(
        "board",
        [
            release_board(STATE),
            stack_board(
                stack_state(
                    {one.logical_id: one for one in STACK}, PLANNED, 12.0, shipped("aws", "create base")
                )
            ),
        ],
        ids=["release", "stack"],
    )
    def test_text_and_page_hold_the_same_figures_and_words(self, board: Board) -> None:
        assert visible(board.markup).split() == board.text.replace("|", " ").split()
        assert FIGURE.findall(visible(board.markup)) == FIGURE.findall(board.text)

    def test_a_picture_says_no_figure_that_the_words_lack(self) -> None:
        picture, words = release_drawing(STATE), release_board(STATE).text
        for figure in FIGURE.findall(said(picture.svg)):
            assert figure in FIGURE.findall(words), figure
        assert "2 visits" in said(picture.svg) and "2 visits" in words
        assert "1 visit" in said(picture.svg) and "9.0 s of visits" in said(picture.svg)

    def test_a_picture_names_itself_as_its_words_do(self) -> None:
        picture = stack_drawing(stack_state({one.logical_id: one for one in STACK}, PLANNED))
        root = ElementTree.fromstring(picture.svg)
        assert root.get("role") == "img" and root.get("aria-label") == repr(picture)
        assert repr(picture).startswith("gbg-base CREATE_IN_PROGRESS: 1 of 3 resources done")

    def test_what_an_output_says_is_text(self) -> None:
        nasty = Board("<b>", (Section("x", (Row("done", "<script>", told="&"),), ("<i>",)),))
        assert "<script>" not in nasty.markup and "<i>" not in nasty.markup and "<b>" not in nasty.markup


class TestStack:
    def test_what_is_to_come_is_there_from_the_beginning(self) -> None:
        text = stack_board(stack_state({STACK[0].logical_id: STACK[0]}, PLANNED)).text
        assert "0 of 3 resources done" in text and "○ SubnetA · waiting" in text

    def test_a_failure_tells_its_reason_and_marks_its_branch(self) -> None:
        text = stack_board(stack_state({one.logical_id: one for one in STACK}, PLANNED)).text
        assert "✗ IAM · failed · 0 of 1" in text and "AWS::IAM::Role · denied" in text
        assert "ignored" not in text and "▶ EC2 · going on · 1 of 2" in text

    def test_it_does_not_depend_on_the_order_of_events(self) -> None:
        one = stack_state({each.logical_id: each for each in STACK}, {})
        other = stack_state({each.logical_id: each for each in reversed(STACK)}, {})
        assert one == other

    def test_nothing_to_do_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_stack(iter([]))
        assert "Nothing to do: the stack is as planned." in capsys.readouterr().out


class TestRelease:
    def test_the_bad_stage_and_what_it_printed_last_are_told(self) -> None:
        failed = ReleaseState(
            actions=(action("BuildGoldenAMI", 0, 9, "Failed"),), bake=STATE.bake, bake_lines=STATE.bake_lines
        )
        assert "BuildGoldenAMI Failed" in failed.title
        assert "| Installing : kernel-6.1" in release_board(failed).text
        assert "| Installing" not in release_board(STATE).text, "it went well: the record keeps it"

    def test_steps_for_another_end_are_not_missed_in_a_bake_that_went_well(self) -> None:
        bake = (Piece("createImage", "Success", 2.0), Piece("failBake", "Pending"))
        well = ReleaseState(actions=(action("BuildGoldenAMI", 0, 9),), bake=bake)
        assert "1 of 1 done, 1 not needed" in release_board(well).text
        assert "○ failBake · Pending · not needed" in release_board(well).text
        failed = ReleaseState(actions=(action("BuildGoldenAMI", 0, 9, "Failed"),), bake=bake)
        assert "1 of 2 done" in release_board(failed).text
        assert "· not needed" not in release_board(failed).text

    def test_usual_beside_elapsed_time_says_whose_it_is(self) -> None:
        assert "usually 32 min 40 s (as shipped, not measured)" in STATE.title
        former = [[action("Build", 0, 10)], [action("Build", 0, 30)]]
        assert of_stages("sandbox", former)["Build"] == Usual(20.0, "the 2 releases before")

    @pytest.mark.parametrize("status", ["Failed", "TimedOut", "FAULT", "something new"])
    def test_an_unknown_status_is_never_good(self, status: str) -> None:
        assert mark(status) == "failed"


class Interruptible:
    """News that end as a person's interrupt does; knows whether it was let go."""

    def __init__(self, *news: Any, ends: BaseException) -> None:
        self.news, self.ends, self.closed = news, ends, False

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self.news
            raise self.ends
        finally:
            self.closed = True


class TestTheEnd:
    def follow(self, ends: BaseException) -> tuple[StackView, Interruptible]:
        view, news = StackView(None, None, time.monotonic), Interruptible(*STACK, ends=ends)
        with pytest.raises(type(ends)):
            following(news, view.hear, view.draw, connected())
        return view, news

    def test_an_interrupt_leaves_the_last_state_and_nothing_that_goes_on(self) -> None:
        threads = threading.active_count()
        view, news = self.follow(KeyboardInterrupt())
        assert view.screen.shown is not None and view.screen.shown.title.endswith(INTERRUPTED)
        assert news.closed and threading.active_count() == threads

    def test_an_interrupt_in_a_pause_lets_go_of_what_the_news_hold(self) -> None:
        let_go = []

        def news() -> Iterator[StackEvent]:
            try:
                yield from STACK
            finally:
                let_go.append(True)

        view = StackView(None, None, time.monotonic)

        def hear(one: StackEvent) -> None:
            view.hear(one)
            if one is STACK[1]:
                raise KeyboardInterrupt

        aws = connected()
        with pytest.raises(KeyboardInterrupt):
            following(news(), hear, view.draw, aws)
        assert let_go == [True]
        aws.pause()  # nobody watches any more
        assert view.screen.draws == 3

    def test_an_error_is_the_callers_and_the_last_state_stays(self) -> None:
        view, _ = self.follow(StackFailed("stack", "denied", "mend it"))
        assert view.screen.shown is not None and view.screen.shown.title.endswith(STOPPED)

    def test_nothing_is_shown_of_what_never_began(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(NotThere):
            show_stack(Interruptible(ends=NotThere("x", "y", "z")))
        assert capsys.readouterr().out == ""


class TestPause:
    def test_who_watches_is_asked_in_each_pause_of_its_own_thread(self) -> None:
        aws, looks = connected(), []
        with aws.watched(lambda: looks.append(threading.get_ident())):
            aws.pause()
            other = threading.Thread(target=aws.pause)
            other.start()
            other.join()
        aws.pause()
        assert looks == [threading.get_ident()]

    def test_what_goes_on_is_drawn_before_all_else_is_asked_for(self) -> None:
        """The first request to a service may take half a second: its client is made."""
        aws, done = connected(), list[str]()

        def news() -> Iterator[int]:
            aws.pause()
            yield 1

        def told(what: str) -> Callable[[], None]:
            return lambda: done.append(what)

        def draw(*, over: bool = False, note: str = "") -> None:
            done.append("drawn")

        following(news(), lambda _: None, draw, aws, told("look"), go_round=told("round"))
        assert done == ["look", "drawn", "round", "drawn"]

    def test_looks_are_so_far_apart_whatever_they_take(self) -> None:
        aws = connected()
        aws.poll_seconds = 0.6
        with aws.watched(lambda: time.sleep(0.55)):
            began = time.monotonic()
            for _ in range(3):
                aws.pause()
        assert 1.75 <= time.monotonic() - began < 3 * (0.6 + 0.55)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeServices:
    """A release from inside, whatever is asked; counts by the clock's second."""

    def __init__(self, clock: Clock, machines: int = 60) -> None:
        self.clock, self.asked, self.names = clock, [], []
        self.bake = self.install = "InProgress"
        self.refused: list[str] = []
        self.meanwhile: Callable[[], None] | None = None
        """work of another thread, while the next answer is on its way"""
        self.machines = [f"i-{number:017x}" for number in range(machines)]

    asked: list[float]
    names: list[str]

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def answer(**given: Any) -> dict[str, Any]:
            self.asked.append(self.clock.now)
            self.names.append(operation)
            if operation in self.refused:
                self.refused.remove(operation)
                raise refusal("ThrottlingException", "not now")
            if (work := self.meanwhile) is not None:
                self.meanwhile = None
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            self.clock.now += 0.004
            return dict(ANSWERS[operation](self, given))

        return answer


ANSWERS: dict[str, Any] = {
    "get_automation_execution": lambda fake, given: {
        "AutomationExecution": {
            "AutomationExecutionStatus": fake.bake,
            "StepExecutions": [
                {"StepName": "updateSystem", "StepStatus": "InProgress", "ExecutionStartTime": BEGIN}
            ],
        }
    },
    "filter_log_events": lambda fake, given: {
        "events": [
            {
                "eventId": str(fake.clock.now),
                "timestamp": 1,
                "logStreamName": "s",
                "message": "\x1b[1mhello\n",
            }
        ]
    },
    "batch_get_builds": lambda fake, given: {
        "builds": [
            {"phases": [], "buildComplete": False, "logs": {"groupName": "/gbg/build", "streamName": "s"}}
        ]
    },
    "list_deployment_targets": lambda fake, given: {"targetIds": fake.machines},
    "batch_get_deployment_targets": lambda fake, given: {
        "deploymentTargets": [
            {
                "instanceTarget": {
                    "targetId": one,
                    "instanceLabel": "GREEN",
                    "status": "InProgress",
                    "lifecycleEvents": [{"lifecycleEventName": "Install", "status": fake.install}],
                }
            }
            for one in given["targetIds"]
        ]
    },
    "describe_target_health": lambda fake, given: {
        "TargetHealthDescriptions": [
            {"Target": {"Id": one}, "TargetHealth": {"State": "healthy"}} for one in fake.machines
        ]
    },
}


def most_in_a_second(asked: Sequence[float]) -> int:
    return max(sum(first <= one < first + 1 for one in asked) for first in asked)


def look(inside: Inside, actions: Sequence[Action]) -> None:
    """As a view does in a pause."""
    inside.look(actions)
    inside.go_round(actions)


class TestInside:
    def inside(self, poll_seconds: float = 0.25) -> tuple[Inside, FakeServices, Clock]:
        clock = Clock()
        fake = FakeServices(clock)
        aws = connected(ssm=fake, logs=fake, codebuild=fake, codedeploy=fake, elbv2=fake)
        aws.poll_seconds = poll_seconds
        base = {"SiteUrl": "", "BakeLogGroupName": "/gbg/bake", "TargetGroupArn": "arn"}
        return Inside(aws, base, clock=clock, sleep=clock.sleep), fake, clock

    @pytest.mark.parametrize(("poll_seconds", "used"), [(0.05, 4.5), (0.25, 4.5), (5.0, 0.9)])
    def test_never_more_requests_a_second_than_all_views_may_make(
        self, poll_seconds: float, used: float
    ) -> None:
        """Sixty machines and two more stages: in no second more than five, and not many are left unused."""
        inside, fake, clock = self.inside(poll_seconds)
        actions = [action(stage, 0, 1, "InProgress") for stage in ("BuildGoldenAMI", "Build", "Deploy")]
        for number in range(400):
            look(inside, actions)
            clock.now += poll_seconds + number % 3 / 100
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND
        assert len(fake.asked) / (clock.now - 100) > used

    def test_the_running_stage_is_asked_for_at_each_look_also_while_others_have_their_turn(self) -> None:
        inside, fake, clock = self.inside()
        deploy = [action(stage, 0, 1) for stage in ("BuildGoldenAMI", "Build")]
        deploy.append(action("Deploy", 0, 1, "InProgress"))
        for _ in range(12):
            look(inside, deploy)
            clock.now += 0.25
        for number in range(40):
            fake.names.clear()
            look(inside, deploy)
            clock.now += 0.25 + (-1) ** number * 0.004
            assert fake.names[0] == "batch_get_deployment_targets"
        assert set(inside.health) == set(fake.machines) == set(inside.targets)

    def test_all_else_comes_round_once_a_second_and_not_a_look_later(self) -> None:
        inside, fake, clock = self.inside()
        bake = [action("BuildGoldenAMI", 0, 1, "InProgress")]
        began = clock.now
        while clock.now < began + 20:
            before = clock.now
            look(inside, bake)
            clock.now = max(clock.now, before + 0.25)
        assert fake.names.count("filter_log_events") >= 19
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND

    def test_a_bake_that_says_that_it_is_over_is_not_asked_again(self) -> None:
        """So that the build that the pipeline begins then is asked at once."""
        inside, fake, clock = self.inside()
        bake = action("BuildGoldenAMI", 0, 1, "InProgress")
        look(inside, [bake])
        fake.bake = "Success"
        for over in (bake, bake, action("BuildGoldenAMI", 0, 1)):
            clock.now += 0.25
            look(inside, [over])
        assert fake.names.count("get_automation_execution") == 2
        look(inside, [action("BuildGoldenAMI", 0, 1), action("Build", 2, 3, "InProgress")])
        assert fake.names[-1] == "batch_get_builds"

    def test_machines_that_have_nothing_to_come_take_turns(self) -> None:
        """While blue waits for its end, say: health and new machines come up more often then."""
        inside, fake, clock = self.inside()
        fake.install = "Succeeded"
        for _ in range(12):
            look(inside, [action("Deploy", 0, 1, "InProgress")])
            clock.now += 0.25
        fake.names.clear()
        for _ in range(12):
            look(inside, [action("Deploy", 0, 1, "InProgress")])
            clock.now += 0.25
        assert {fake.names.count(name) for name in ANSWERS if "target" in name} <= {2, 3, 4}

    def test_a_bake_is_asked_for_each_time_and_its_output_once_a_second(self) -> None:
        inside, fake, clock = self.inside()
        bake = [action("BuildGoldenAMI", 0, 1, "InProgress")]
        for _ in range(8):
            before = fake.names.count("get_automation_execution")
            look(inside, bake)
            assert fake.names.count("get_automation_execution") == before + 1
            clock.now += 0.25
        assert inside.bake[0].name == "updateSystem" and inside.bake_lines == ("hello",) * 2

    def test_the_end_is_whole_whoever_looked_when(self) -> None:
        inside, fake, _ = self.inside()
        over = [action(stage, 0, 1) for stage in ("BuildGoldenAMI", "Build", "Deploy")]
        inside.finish(over)
        assert len(inside.targets) == 60 and len(inside.health) == 60 and inside.bake and inside.bake_lines
        assert most_in_a_second(fake.asked) <= REQUESTS_A_SECOND
        asked = len(fake.asked)
        inside.finish(over)
        assert len(fake.asked) == asked, "once is enough"

    def test_an_end_without_the_releases_end_asks_once_and_for_nothing_without_a_name(self) -> None:
        """Who follows gives up after so many minutes, or a bake fails before it has begun."""
        inside, fake, _ = self.inside()
        nameless = action("BuildGoldenAMI", 0, 1, "Failed", behind="")
        inside.finish([nameless, action("Build", 0, 1, "InProgress")])
        assert fake.names == ["batch_get_builds", "filter_log_events"]

    def test_one_answer_that_does_not_come_at_the_end_leaves_the_others(self) -> None:
        inside, fake, _ = self.inside()
        fake.refused = ["batch_get_deployment_targets"]
        inside.finish([action("Deploy", 0, 1)])
        assert len(inside.targets) == 60 - BATCH_TARGETS
        assert "machines" in inside.missed

    def test_requests_of_others_count_for_nothing(self) -> None:
        """As a lock's renewals, which go on in a thread of their own."""
        inside, fake, clock = self.inside()
        bake = [action("BuildGoldenAMI", 0, 1, "InProgress")]

        def beside() -> None:
            for _ in range(20):
                inside.aws.call("elbv2", "describe_target_health", TargetGroupArn="arn")

        fake.meanwhile = beside
        look(inside, bake)
        clock.now += 0.25
        look(inside, bake)
        assert fake.names.count("describe_target_health") == 20
        assert fake.names.count("get_automation_execution") == 2

    def test_machines_that_came_last_are_there_at_the_end(self) -> None:
        inside, fake, clock = self.inside()
        look(inside, [action("Deploy", 0, 1, "InProgress")])
        fake.machines.append("i-late")
        clock.now += 0.25
        inside.finish([action("Deploy", 0, 1)])
        assert "i-late" in inside.targets

    def test_former_releases_are_asked_for_by_turns(self) -> None:
        inside, _, clock = self.inside()
        steps: list[int] = []

        def former() -> Iterator[int]:
            for number in range(3):
                steps.append(number)
                yield number

        inside.former = former()
        source = [action("Source", 0, 1)]
        look(inside, source)
        assert steps == [0]
        clock.now += 0.25
        inside.finish(source)
        assert steps == [0, 1, 2]

    def test_what_cannot_be_seen_is_told_and_stops_nothing(self) -> None:
        class Refusing:
            def get_automation_execution(self, **given: Any) -> dict[str, Any]:
                raise refusal("AccessDenied", "not you")

        inside = Inside(connected(ssm=Refusing(), logs=FakeServices(Clock())), {"BakeLogGroupName": "/b"})
        look(inside, [action("BuildGoldenAMI", 0, 1, "InProgress")])
        assert inside.missed == {"bake": "not you"}
        seen = release_board(ReleaseState(missed=inside.missed)).text
        assert "Not seen" in seen and "bake · not you" in seen

    def test_secrets_and_control_characters_are_not_shown(self) -> None:
        lines = shown(
            ["[Container] 2026/11/28 14:15:17.450830 Phase complete", "\x1b[31mred\x07", "", *"abcd"]
        )
        assert lines == ("Phase complete", "red", "a", "b", "c", "d") and len(lines) == LAST_LINES


class TestVisits:
    def test_an_answer_tells_blue_from_green_and_no_answer_is_nobodys(self) -> None:
        with serving({"/health": f'{{"deployment": "{DEPLOYMENT}"}}'}) as url:
            traffic = Traffic(url)
            for green in ("", "d-OTHER0001", DEPLOYMENT):
                traffic.visit(green)
        assert counts(traffic.visits) == {"blue": 2, "green": 1, "nobody": 0}
        traffic.visit(DEPLOYMENT)
        assert counts(traffic.visits)["nobody"] == 1

    def test_a_first_fleets_page_without_facts_is_blues(self) -> None:
        with serving({"/": "base page"}, otherwise=404) as url:
            traffic = Traffic(url)
            traffic.visit(DEPLOYMENT)
        assert counts(traffic.visits)["blue"] == 1

    def test_a_site_that_can_not_be_reached_is_left_alone_for_a_while(self) -> None:
        clock = Clock()
        traffic = Traffic("http://127.0.0.1:9/", clock)
        for _ in range(20):
            traffic.visit("")
            clock.now += 1
        assert len(traffic.visits) == 2


class TestFrame:
    def test_it_is_loaded_anew_when_another_colour_answers(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv(LEARNER, "ada")
        frame = Frame("http://localhost:1/")
        for who in ("blue", "blue", "green", "green"):
            frame.show(who)
        told = capsys.readouterr().out.splitlines()
        assert told == [f"The site now, answered by {who}: http://localhost:1/" for who in ("blue", "green")]

    def test_a_run_that_nobody_watches_has_none(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv(LEARNER, raising=False)
        Frame("http://localhost:1/").show("blue")
        assert capsys.readouterr().out == ""


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    parts = [int(colour[begin : begin + 2], 16) / 255 for begin in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("ground", "ink"), [*FILLS.values(), *SIDES.values(), (ORANGE, NOTE_INK)])
def test_every_state_can_be_read(ground: str, ink: str) -> None:
    assert contrast(ground, ink) >= 4.5


def test_the_view_of_a_release_without_a_step_shows_its_stages() -> None:
    view = ReleaseView(None)
    actions: Sequence[Action] = STATE.actions
    following(iter([actions]), view.hear, view.draw, None, view.look, view.finish)
    assert view.screen.shown is not None and "✓ Source · Succeeded · 1.2 s" in view.screen.shown.text
    assert timedelta(seconds=90) == STATE.actions[-1].updated - BEGIN


class FakeShell:
    def __init__(self, **metadata: str) -> None:
        self.metadata = metadata
        self.history_manager = SimpleNamespace(input_hist_parsed=["", *map(str, range(7))])

    def get_parent(self) -> dict[str, Any]:
        return {"metadata": self.metadata}


class TestBelonging:
    def test_a_page_is_told_the_cell_and_a_file_only_the_part(self) -> None:
        told = belongs("words", FakeShell(cellId="04-15"))
        assert told == {"metadata": {"gbg_view": "words"}, "transient": {"cell": "04-15", "count": 7}}

    @pytest.mark.parametrize("shell", [None, object(), FakeShell()])
    def test_where_no_page_runs_cells_there_is_nothing_to_tell(self, shell: Any) -> None:
        assert belongs("words", shell)["transient"] == {}
