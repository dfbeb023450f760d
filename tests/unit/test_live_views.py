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

from gbg_lib.aws import Aws
from gbg_lib.deployments import LifecycleEvent, Target
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
from gbg_lib.watch.pieces import Piece
from gbg_lib.watch.traffic import Visit
from tests.unit.aws_fakes import connected, fake_session
from tests.unit.clocks import Clock
from tests.unit.release_fakes import BEGIN, at, heard

FIGURE = re.compile(r"\d+(?:\.\d+)?")


def visible(markup: str) -> str:
    """What a page or picture says, without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


def said(svg: str) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join(one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text"))


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
    actions=(heard("Source", 0, 1.24), heard("BuildGoldenAMI", 2, 65), heard("Deploy", 66, 90)),
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
            actions=(heard("BuildGoldenAMI", 0, 9, "Failed"),), bake=STATE.bake, bake_lines=STATE.bake_lines
        )
        assert "BuildGoldenAMI Failed" in failed.title
        assert "| Installing : kernel-6.1" in release_board(failed).text
        assert "| Installing" not in release_board(STATE).text, "it went well: the record keeps it"

    def test_steps_for_another_end_are_not_missed_in_a_bake_that_went_well(self) -> None:
        bake = (Piece("createImage", "Success", 2.0), Piece("failBake", "Pending"))
        well = ReleaseState(actions=(heard("BuildGoldenAMI", 0, 9),), bake=bake)
        assert "1 of 1 done, 1 not needed" in release_board(well).text
        assert "○ failBake · Pending · not needed" in release_board(well).text
        failed = ReleaseState(actions=(heard("BuildGoldenAMI", 0, 9, "Failed"),), bake=bake)
        assert "1 of 2 done" in release_board(failed).text
        assert "· not needed" not in release_board(failed).text

    def test_usual_beside_elapsed_time_says_whose_it_is(self) -> None:
        assert "usually 32 min 40 s (as shipped, not measured)" in STATE.title
        former = [[heard("Build", 0, 10)], [heard("Build", 0, 30)]]
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
        threads = set(threading.enumerate())
        view, news = self.follow(KeyboardInterrupt())
        assert view.screen.shown is not None and view.screen.shown.title.endswith(INTERRUPTED)
        assert news.closed and set(threading.enumerate()) <= threads, "those of earlier tests may end now"

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
        clock = Clock()
        aws = Aws(fake_session(), poll_seconds=5.0, ticks=clock, sleep=clock.sleep)
        with aws.watched(lambda: clock.sleep(4.0)):
            began = clock.now
            for _ in range(3):
                aws.pause()
        assert clock.now - began == 3 * 5.0


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
