"""What people are shown of a rehearsal: the same words in the terminal, on the page and in Markdown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from gbg_lib.record.archive import Archive
from gbg_lib.record.reading import SUCCEEDED
from gbg_lib.rehearsal.comparison import BEFORE, Difference, compare
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.outcome import REHEARSALS, RESULT, Outcome, folder_for, keep, outcome
from gbg_lib.rehearsal.plan import Plan
from gbg_lib.rehearsal.report import MOST_ROWS, Section, differing, excerpt, headline, sections
from gbg_lib.views.rehearsal import markdown, page, write_pages
from tests.unit.record_fakes import BEGIN
from tests.unit.test_rehearsal_comparison import altered, asked, example
from tests.unit.test_rehearsal_plan import planned, rewritten, what_if

HOSTILE = "<script>alert(1)</script> [link](javascript:x) \x1b[31mred"


def made(folder: Path, rehearsed: Archive, of: Plan | None = None) -> Outcome:
    found = of or planned()
    path = Path(rehearsed.where)
    return outcome(found, folder_for(folder, found, BEGIN), example(), path, 60.0)


def whole(folder: Path, edit: Any = None) -> Archive:
    return rewritten(example(), folder / "records", edit)


def hostile(line: dict[str, Any]) -> None:
    if line["id"].endswith(f"{asked()}:ValidateService"):
        line["data"]["diagnostics"]["logTail"] = HOSTILE
    if line["id"] == "bake.step:07-listPackages":
        line["data"]["StepStatus"] = HOSTILE


def section(made: Outcome, heading: str) -> Section:
    return next(one for one in sections(made) if one.heading == heading)


def test_the_same_is_said_in_a_sentence(tmp_path: Path) -> None:
    found = made(tmp_path, whole(tmp_path))
    assert headline(found).startswith("The same: all ")
    assert section(found, "How it ended").words == "It failed at the same step for the same reason."
    headings = [one.heading for one in sections(found)]
    assert "The first divergence" not in headings
    assert headings[-2:] == ["What can't be reproduced", "How long it took"]


def test_the_first_divergence_is_shown_side_by_side_after_five_steps(tmp_path: Path) -> None:
    found = made(tmp_path, whole(tmp_path, hostile))
    number = len(found.comparison.pairs)
    rest = f"and 1 more of {number} steps differ."
    assert headline(found) == f"Not the same: it parts at bake: listPackages, {rest}"
    first = section(found, "The first divergence")
    assert len(first.rows) == BEFORE + 1
    assert first.rows[-1][0] == "≠ bake: listPackages, status"
    assert first.rows[-1][1] == "Success"


def test_what_a_record_says_is_text_on_both_pages(tmp_path: Path) -> None:
    found = made(tmp_path, whole(tmp_path, hostile))
    shown = page(found)
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "default-src 'none'" in shown
    assert "\x1b" not in shown + markdown(found)
    assert "[link](javascript" not in markdown(found)
    assert "\\<script" in markdown(found)
    assert not re.search(r"(?<!\\)<script", markdown(found))


def test_pages_and_result_lie_beside_the_rehearsals_own_record(tmp_path: Path) -> None:
    found = made(tmp_path, whole(tmp_path))
    found.folder.mkdir(parents=True)
    keep(found)
    paths = write_pages(found)
    assert [path.parent for path in paths] == [found.folder, found.folder]
    assert found.folder.parent == tmp_path / "gbg" / REHEARSALS
    told = json.loads((found.folder / RESULT).read_text())
    assert (told["status"], told["divergences"], told["same_ending"]) == ("same", 0, True)
    assert told["record"] == example().name


def test_a_what_if_is_held_against_the_plain_rehearsal_before_it(tmp_path: Path) -> None:
    plain = made(tmp_path, whole(tmp_path))
    plain.folder.mkdir(parents=True)
    keep(plain)
    changed = replace(what_if("instance_count=3"), execution_id="another")
    found = made(tmp_path, rewritten(example(), tmp_path / "other", hostile), changed)
    assert found.plain is not None
    assert found.told["against_plain"] == 2
    told = section(found, "Against the rehearsal without the change")
    assert told.words.startswith("2 of ")
    alone = made(tmp_path / "elsewhere", whole(tmp_path / "elsewhere"), changed)
    assert alone.plain is None
    assert "There is none yet" in section(alone, "Against the rehearsal without the change").words


def test_what_a_change_did_is_told_in_words(tmp_path: Path) -> None:
    def failed(line: dict[str, Any]) -> None:
        hostile(line)
        if line["kind"] == "execution":
            line["data"]["status"] = "Stopped"

    changed = replace(what_if("instance_count=3"), execution_id="another")
    words = section(made(tmp_path, whole(tmp_path, failed), changed), "What the change did").words
    assert words.startswith("With a parameter: instance_count 3 instead of 2: it ended ")
    assert "the first is bake: listPackages: status Success → <script>" in words
    assert "\x1b" not in words
    same = section(made(tmp_path / "b", whole(tmp_path / "b"), changed), "What the change did").words
    assert same.endswith("it ended as then, Failed. No other step differs.")
    assert all(
        one.heading != "What the change did" for one in sections(made(tmp_path / "c", whole(tmp_path / "c")))
    )


def test_packages_that_the_sandbox_lacks_or_has_in_another_version_are_named(tmp_path: Path) -> None:
    def fewer(line: dict[str, Any]) -> None:
        if line["kind"] == "packages":
            golden = [one for one in line["data"]["golden"] if not one.startswith("codedeploy-agent")]
            line["data"]["golden"] = [one.replace("bash-5.2.15-", "bash-5.2.9-") for one in golden]

    told = {one.what: one for one in made(tmp_path, whole(tmp_path, fewer)).unlike}
    assert told["1 of 64 packages"].recorded == "codedeploy-agent.noarch"
    assert told["versions of 1 packages"].rehearsed.startswith("bash.x86_64 5.2.9-")


def test_with_another_image_its_packages_are_the_ones_that_are_looked_for(tmp_path: Path) -> None:
    other = replace(planned(), packages={"bash.x86_64": "9-1"}, changed="the image: another one")
    told = {one.what: one for one in made(tmp_path, whole(tmp_path), other).unlike}
    assert told["versions of 1 packages"].recorded == "bash.x86_64 9-1"


def test_a_long_result_is_shown_where_it_parts() -> None:
    lines = [f"line {number}" for number in range(50)]
    recorded, rehearsed = excerpt(
        Difference("output", "\n".join(lines), "\n".join([*lines[:30], "other", *lines[31:]]))
    )
    assert recorded.splitlines() == ["…", "line 28", "line 29", "line 30", "line 31", "line 32", "…"]
    assert rehearsed.splitlines()[3] == "other"
    assert excerpt(Difference("output", "", "x")) == ("(nothing)", "x")


def test_steps_that_one_record_lacks_are_told_together(tmp_path: Path) -> None:
    def no_deployment(line: dict[str, Any]) -> None:
        if line["kind"] in ("machine.event", "machine", "deployment"):
            line.clear()

    found = made(tmp_path, whole(tmp_path, no_deployment))
    rows = differing(found.comparison.divergences)
    assert len(rows) < len(found.comparison.divergences) / 2
    assert len(rows) < MOST_ROWS
    assert any("and 9 more" in row[0] for row in rows)


def test_a_good_release_has_no_ending_to_compare(tmp_path: Path) -> None:
    good = example(SUCCEEDED)
    same = compare(good, altered(lambda _: None, good), Likeness())
    found = replace(made(tmp_path, whole(tmp_path)), recorded=good, comparison=same)
    assert section(found, "How it ended").words == "Nothing failed, neither then nor now."
