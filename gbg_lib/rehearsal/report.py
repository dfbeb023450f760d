"""What a rehearsal tells people, as words and rows: terminal, HTML page and Markdown show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gbg_lib.record.words import plain
from gbg_lib.rehearsal.comparison import Comparison, Difference, Ending, Pair
from gbg_lib.rehearsal.outcome import Outcome

MOST_ROWS = 40
AROUND = 2
"""lines that are shown before and after the first that differs in a long result"""
LONGEST = 160
MOVED, MOVED_SECONDS = 1.5, 3
"""how many times as long, and by how much at least, a step took that is told of"""


@dataclass(frozen=True)
class Section:
    heading: str
    words: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def headline(made: Outcome) -> str:
    """One sentence."""
    number = len(made.comparison.pairs)
    if made.comparison.same:
        but = ", but for what the change itself says" if made.plan.changed else ""
        return f"The same: all {number} steps went as they were recorded, with the same results{but}."
    first = made.comparison.divergences[0]
    others = len(made.comparison.divergences) - 1
    rest = f", and {others} more of {number} steps differ" if others else ""
    return f"Not the same: it parts at {plain(first.place)}{rest}."


def sections(made: Outcome) -> list[Section]:
    told = [_subject(made), *([_difference(made)] if made.plan.changed else []), _endings(made)]
    if not made.comparison.same:
        told += [_first(made.comparison), _divergences(made.comparison)]
    if made.plan.changed:
        told.append(_against_plain(made))
    return [*told, _unlike(made), _durations(made)]


def _subject(made: Outcome) -> Section:
    summary = made.recorded.manifest.summary
    rows = [
        ("record", made.plan.record),
        ("release", f"{summary.get('status')}: {plain(summary.get('message', ''), 80)}"),
        ("commit", str(summary.get("commit"))),
        ("changed", made.plan.changed or "nothing"),
        (
            "rehearsed",
            f"{made.rehearsed.manifest.summary.get('status')}, in {made.seconds:.0f} s with set-up",
        ),
        ("its record", str(made.path)),
    ]
    return Section("What was rehearsed", "", ("", ""), tuple((name, plain(value)) for name, value in rows))


def _difference(made: Outcome) -> Section:
    """What the change came to, in words."""
    then, now = made.plan.status, str(made.rehearsed.manifest.summary.get("status", "?"))
    ended = f"it ended as then, {now}" if then == now else f"it ended {now} instead of {then}"
    words = f"With {made.plan.changed}: {ended}."
    first = next(iter(made.comparison.divergences), None)
    if first is None:
        words += " No other step differs."
    else:
        number, whole = len(made.comparison.divergences), len(made.comparison.pairs)
        words += f" {number} of {whole} steps differ, the first is {first.place}: {_change(first)}."
    ending = made.comparison.endings[1]
    if ending is not None and not made.comparison.same_ending:
        place, said = _ending(ending)
        words += f" What failed first is {place}" + (f" ({said})." if said else ".")
    moved = [
        f"{name} {before:.0f} → {after:.0f} s"
        for name, before, after in made.durations
        if _moved(before, after)
    ]
    words += f" It took another time: {', '.join(moved)}." if moved else ""
    return Section("What the change did", plain(words, LONGEST * 5))


def _change(pair: Pair) -> str:
    """The first that differs, on a line."""
    one = pair.differences[0]
    recorded, rehearsed = (" ".join(text.split()) for text in excerpt(one))
    return f"{one.what} {recorded or NONE} → {rehearsed or NONE}"


def _moved(before: float, after: float) -> bool:
    return abs(after - before) >= MOVED_SECONDS and not 1 / MOVED <= (after + 1) / (before + 1) <= MOVED


def _endings(made: Outcome) -> Section:
    recorded, rehearsed = made.comparison.endings
    if recorded is None and rehearsed is None:
        return Section("How it ended", "Nothing failed, neither then nor now.")
    words = "It did not end for the same reason."
    if made.comparison.same_ending:
        words = "It failed at the same step for the same reason."
    elif recorded is None:
        words = "Nothing failed then; this did now."
    elif rehearsed is None:
        words = "This failed then; nothing did now."
    rows = [("recorded", *_ending(recorded)), ("rehearsed", *_ending(rehearsed))]
    return Section("How it ended", words, ("", "first step that failed", "what it said"), tuple(rows))


def _ending(ending: Ending | None) -> tuple[str, str]:
    if ending is None:
        return "none", ""
    place, said = f"{ending.place}: {ending.status}", dict(ending.results)
    if said.get("alarms"):
        return place, plain(f"{said.get('error', '')}: {said['alarms']}", LONGEST)
    lines = next((said[name].splitlines() for name in SAYING if said.get(name)), [""])
    errors = (line for line in lines if line.startswith("[ERROR]") and not line.rstrip(" ").endswith(":"))
    error = next(errors, lines[-1])
    return place, plain(error, LONGEST)


SAYING = ("log", "verdict", "output", "context", "message", "failure", "error", "code")
"""results in the order in which they tell a reason"""


def _first(comparison: Comparison) -> Section:
    """The five steps before, and the first divergence with all that differs in it."""
    pair = comparison.divergences[0]
    rows = [(before.place, *_statuses(before)) for before in comparison.before]
    for difference in pair.differences:
        recorded, rehearsed = excerpt(difference)
        rows.append((f"≠ {pair.place}, {difference.what}", recorded, rehearsed))
    number = len(comparison.before)
    words = f"The {number} steps before it were the same in both." if number else "It is the first step."
    return Section("The first divergence", words, ("step", "recorded", "rehearsed"), tuple(rows))


def _divergences(comparison: Comparison) -> Section:
    rows = differing(comparison.divergences)
    words = f"{len(rows) - MOST_ROWS} more rows." if len(rows) > MOST_ROWS else ""
    columns = ("step", "recorded", "rehearsed", "in")
    return Section("Every step that differs", words, columns, tuple(rows[:MOST_ROWS]))


def differing(pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    """A row a step; of steps that follow each other in a lane and are in one record only, a row for all."""
    rows: list[tuple[str, ...]] = []
    lanes: dict[tuple[str, bool], list[Pair]] = {}
    for pair in pairs:
        if pair.recorded is None or pair.rehearsed is None:
            lanes.setdefault((pair.lane, pair.recorded is None), []).append(pair)
    for pair in pairs:
        alone = lanes.get((pair.lane, pair.recorded is None), [])
        if pair not in alone or len(alone) == 1:
            rows.append((pair.place, *_statuses(pair), ", ".join(one.what for one in pair.differences)))
        elif pair is alone[0]:
            name = f"{pair.lane}: {pair.name} and {len(alone) - 1} more"
            rows.append((name, *_statuses(pair), "status"))
    return rows


def _statuses(pair: Pair) -> tuple[str, str]:
    recorded, rehearsed = pair.recorded, pair.rehearsed
    return recorded.status if recorded else NONE, rehearsed.status if rehearsed else NONE


NONE = "no such step"


def excerpt(difference: Difference) -> tuple[str, str]:
    """Where two texts part: a few lines around the first that differs."""
    ours, theirs = difference.recorded.splitlines(), difference.rehearsed.splitlines()
    shared = sum(1 for _ in _equal(ours, theirs))
    return _around(ours, shared), _around(theirs, shared)


def _equal(ours: Sequence[str], theirs: Sequence[str]) -> Sequence[str]:
    same = []
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        same.append(one)
    return same


def _around(lines: Sequence[str], number: int) -> str:
    shown = lines[max(0, number - AROUND) : number + AROUND + 1]
    told = [plain(line, LONGEST) for line in shown]
    before, after = number - AROUND > 0, number + AROUND + 1 < len(lines)
    return "\n".join(["…"] * before + told + ["…"] * after) or "(nothing)"


def _against_plain(made: Outcome) -> Section:
    heading = "Against the rehearsal without the change"
    if made.plain is None:
        return Section(heading, "There is none yet: `./gbg rehearse` with this record alone makes one.")
    if made.plain.same:
        return Section(heading, "No step differs: the change changed nothing.")
    rows = differing(made.plain.divergences)
    words = f"{len(made.plain.divergences)} of {len(made.plain.pairs)} steps differ."
    columns = ("step", "without", "with the change", "in")
    return Section(heading, words, columns, tuple(rows[:MOST_ROWS]))


def _unlike(made: Outcome) -> Section:
    rows = [tuple(map(plain, (one.what, one.recorded, one.rehearsed, one.why))) for one in made.unlike]
    columns = ("what", "recorded", "rehearsed", "because")
    return Section("What can't be reproduced", "None of it counts as a divergence.", columns, tuple(rows))


def _durations(made: Outcome) -> Section:
    rows = [(plain(name), f"{before:.0f} s", f"{after:.0f} s") for name, before, after in made.durations]
    columns = ("", "recorded", "rehearsed")
    return Section("How long it took", "Durations don't count as a divergence.", columns, tuple(rows))
