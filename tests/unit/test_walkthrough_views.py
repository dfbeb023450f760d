"""What a learner sees beside the tables: banner, form, picture, questions, a run that only explains."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from IPython.testing.globalipapp import start_ipython

from gbg_lib.errors import AccessRefused, AwsError, Explained, GateRefused, GbgError, NotThere, StackFailed
from gbg_lib.parameters import Parameters, names_for
from gbg_lib.progress import LEARNER, Progress
from gbg_lib.steps import BaseStack
from gbg_lib.views import banner, form, what_happened
from gbg_lib.views.architecture import PARTS, picture
from gbg_lib.views.banner import MODE
from gbg_lib.views.chapters import CHAPTERS
from gbg_lib.views.explain import GUARD, SHOW, Guarded, explained
from gbg_lib.views.form import Form
from gbg_lib.views.predict import QUESTIONS, predict
from gbg_lib.views.shown import WIDGET
from tests.unit.aws_fakes import connected
from tests.unit.clocks import Clock


class FakeSts:
    def get_caller_identity(self, **given: Any) -> dict[str, Any]:
        return {"Account": "210987654321"}


def step(**given: Any) -> BaseStack:
    return BaseStack(Parameters(**given), connected(sts=FakeSts()))


class TestBanner:
    def test_it_says_how_where_and_what_may_change(self) -> None:
        told = repr(banner(step(deployment="shop"), "01"))
        assert "Walkthrough · sandbox, account 210987654321, us-east-1 · deployment shop" in told
        assert "It makes a VPC" in told and "on this machine only, in no AWS account" in told

    def test_aws_has_another_colour_and_another_word(self) -> None:
        sandbox, aws = banner(step(), "01"), banner(step(cloud="aws"), "01")
        assert "border-left:.4em solid #0072b2" in sandbox._repr_html_()
        assert "background:#e69f00;color:#000000" in aws._repr_html_()
        assert "background" not in sandbox._repr_html_()
        assert "in this AWS account" in repr(aws)

    def test_a_scheduled_run_is_called_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(MODE, "scheduled")
        assert "Scheduled · sandbox" in repr(banner(step(), "04"))

    def test_what_only_looks_says_so(self) -> None:
        assert repr(banner(step(), "06")).endswith("It only looks.")

    def test_a_cloud_that_does_not_answer_is_told(self) -> None:
        class Broken:
            def get_caller_identity(self, **given: Any) -> dict[str, Any]:
                from tests.unit.aws_fakes import refusal

                raise refusal("ExpiredToken", "<b>old</b>")

        shown = banner(BaseStack(Parameters(), connected(sts=Broken())), "01")
        assert "unknown (<b>old</b>)" in repr(shown)
        assert "<b>old" not in shown._repr_html_()


class TestPicture:
    @pytest.mark.parametrize("number", CHAPTERS)
    def test_it_is_a_picture_with_words_that_say_the_same(self, number: str) -> None:
        drawn = picture(number)
        root = ElementTree.fromstring(drawn.svg)
        assert root.get("role") == "img"
        assert root.find("{http://www.w3.org/2000/svg}title").text == drawn.words  # type: ignore[union-attr]

    def test_each_part_comes_with_one_runbook(self) -> None:
        brought = [part for one in CHAPTERS.values() for part in one.parts]
        assert sorted(brought) == sorted(part.name for part in PARTS)

    def test_new_parts_are_lit_and_earlier_ones_there(self) -> None:
        words = picture("03").words
        assert words.startswith("New here: CodePipeline. There before: Application, CodeCommit")
        assert words.endswith("Still to come: Golden AMI, Green fleet.")

    def test_no_two_boxes_touch(self) -> None:
        places = [(part.x, part.y) for part in PARTS]
        for number, (x, y) in enumerate(places):
            assert all(abs(x - u) > 132 or abs(y - v) > 58 for u, v in places[number + 1 :])


class TestWhatHappened:
    def test_the_changes_are_there_as_commands_to_copy(self) -> None:
        one = step()
        one.aws.acts("git push https://x/<repo> HEAD:refs/heads/main")
        shown = what_happened(one, "02")
        assert repr(shown).splitlines()[-1] == "git push https://x/<repo> HEAD:refs/heads/main"
        assert "https://x/&lt;repo&gt;" in shown._repr_html_()

    def test_what_would_have_been_is_said_so(self) -> None:
        one = step(explain=True)
        one.aws.explains = True
        assert "nothing is there yet" in repr(what_happened(one, "01"))
        with pytest.raises(Explained):
            one.aws.acts("aws x")
        assert repr(what_happened(one, "01")).endswith("It would have begun with:\naws x")

    def test_no_change_is_said(self) -> None:
        assert "Nothing was changed: it was there already." in repr(what_happened(step(), "01"))
        assert "This runbook only looks." in repr(what_happened(step(), "06"))

    def test_who_learns_has_come_this_far(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        what_happened(step(), "01")
        assert Progress(learner="ada").marks() == []
        monkeypatch.setenv(LEARNER, "ada")
        what_happened(step(), "01")
        assert [mark.task for mark in Progress(learner="ada").marks()] == ["01: Base stack"]


class TestForm:
    def namespace(self, runbook: str = "01") -> dict[str, Any]:
        return {name: getattr(Parameters(), name) for name in names_for(runbook)}

    def test_a_field_a_parameter_with_its_meaning_as_help(self) -> None:
        made = form("01", self.namespace())
        made.widget()
        assert list(made.fields) == names_for("01")
        assert "instances in the fleet" in made.fields["instance_count"].tooltip
        assert made.fields["cloud"].options == (("sandbox", "sandbox"), ("aws", "aws"))
        assert made.fields["explain"].value is False

    def test_a_choice_without_letters_is_called_something(self) -> None:
        made = form("04", self.namespace("04"))
        made.widget()
        labels = [label for label, _ in made.fields["decision"].options]
        assert labels[0] == "(empty)" and all(labels)
        made.fields["decision"].value = "go"
        made.fields["decision"].value = ""
        assert made.values()["decision"] == ""

    def test_what_is_typed_is_the_parameter(self) -> None:
        namespace = self.namespace()
        made = form("01", namespace)
        made.widget()
        made.fields["instance_count"].value = "5"
        made.fields["explain"].value = True
        assert (namespace["instance_count"], namespace["explain"]) == (5, True)
        assert made.command == "./gbg run 1 -p explain=true -p instance_count=5"
        assert made.file == "explain: true\ninstance_count: 5"

    def test_a_value_that_does_not_fit_is_told_and_changes_nothing(self) -> None:
        namespace = self.namespace()
        made = form("01", namespace)
        made.widget()
        made.fields["instance_count"].value = "<many>"
        assert namespace["instance_count"] == 2
        assert "role='alert'" in made.told["instance_count"].value
        assert "&lt;many&gt;&#x27; is not taken, 2 stays" in made.told["instance_count"].value
        made.fields["deployment"].value = "My Shop"
        assert "write it like gbg" in made.told["deployment"].value
        made.fields["instance_count"].value = "3"
        assert namespace["instance_count"] == 3 and "&lt;" not in made.told["instance_count"].value

    def test_a_cell_that_runs_waits_for_the_letters_that_still_come(self) -> None:
        clock, typed = Clock(), iter(["", "", "sho", "", "", "shop"])

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if text := next(typed, ""):
                made.set("deployment", text)

        made = Form("01", self.namespace(), clock, sleep)
        made.widget()
        made.settle()
        assert made.values()["deployment"] == "gbg", "nothing is typed yet, and nothing waited for"
        made.set("deployment", "sh")
        made.settle()
        assert made.values()["deployment"] == "shop"

    def test_the_text_says_what_the_form_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bundle = form("01", self.namespace() | {"instance_count": 4})._repr_mimebundle_()
        assert WIDGET in bundle
        for text in (bundle["text/plain"], bundle["text/html"]):
            assert "instance_count" in text and "./gbg run 1 -p instance_count=4" in text
        monkeypatch.setenv(MODE, "scheduled")
        assert WIDGET not in form("01", self.namespace())._repr_mimebundle_()


class TestQuestions:
    @pytest.mark.parametrize(("runbook", "name"), QUESTIONS)
    def test_an_answer_is_right_or_told_why_not_and_kept(
        self, runbook: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        question = predict(runbook, name)
        wrong = next(choice for choice in question.choices if choice != question.right)
        assert not question.choose(wrong) and question.choose(question.right)
        [mark] = Progress().marks()
        assert (mark.task, mark.result, mark.tries) == (question.task, "right", 2)

    def test_text_and_page_hold_every_choice(self) -> None:
        question = predict("03", "first")
        page = question._repr_mimebundle_()["text/html"]
        for choice in question.choices:
            assert choice in repr(question) and choice in page


class TestProgress:
    def test_what_went_right_once_stays_right(self, tmp_path: Path) -> None:
        kept = Progress(tmp_path, "a/../b")
        kept.note("x", right=True)
        kept.note("x", right=False)
        assert [(mark.result, mark.tries) for mark in kept.marks()] == [("right", 2)]
        assert list(tmp_path.iterdir()) == [kept.file]
        kept.forget()
        assert kept.marks() == []

    def test_a_foreign_file_is_told_and_left(self, tmp_path: Path) -> None:
        kept = Progress(tmp_path, "ada")
        kept.file.write_text("[1]")
        with pytest.raises(GbgError, match="it holds no progress"):
            kept.note("x", right=True)
        assert kept.file.read_text() == "[1]"


class TestExplaining:
    def test_every_runbook_can_explain_itself(self) -> None:
        assert all("explain" in names_for(f"{number:02}") for number in range(10))

    def run(self, source: str) -> tuple[dict[str, Any], list[object]]:
        shown: list[object] = []
        namespace: dict[str, Any] = {GUARD: explained, SHOW: shown.append}
        exec(compile(Guarded().visit(ast.parse(source)), "cell", "exec"), namespace)
        return namespace, shown

    def test_a_cell_without_a_change_is_as_it_was(self) -> None:
        namespace, shown = self.run("a = 1\na + 1")
        assert namespace["a"] == 1 and shown == [2]

    @pytest.mark.parametrize(
        "raised", [Explained("explain", "it would be: aws x", ""), NotThere("stack", "is not there", "")]
    )
    def test_what_is_not_done_is_told_and_the_notebook_goes_on(
        self, raised: GbgError, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with explained():
            raise raised
        assert raised.what in capsys.readouterr().out

    def test_what_a_cell_above_did_not_make_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.run("release.commit")
        assert "release would come from a cell above" in capsys.readouterr().out

    @pytest.mark.parametrize("kind", [AccessRefused, AwsError, StackFailed, GateRefused])
    def test_what_has_another_cause_than_that_nothing_is_done_ends_it(self, kind: type[GbgError]) -> None:
        with pytest.raises(kind), explained():
            raise kind("keys", "they have expired", "")

    def test_other_errors_are_errors(self) -> None:
        with pytest.raises(ZeroDivisionError):
            self.run("1 / 0")

    def test_the_banner_starts_it_once(self) -> None:
        shell = start_ipython()
        try:
            for _ in range(2):
                banner(step(explain=True), "01")
            assert sum(isinstance(one, Guarded) for one in shell.ast_transformers) == 1
        finally:
            shell.ast_transformers.clear()
