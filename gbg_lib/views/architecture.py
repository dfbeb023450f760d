"""The architecture of a release, drawn as far as the reader has come."""

from __future__ import annotations

import html
from dataclasses import dataclass

from gbg_lib.views.chapters import CHAPTERS
from gbg_lib.views.live.screen import Picture
from gbg_lib.views.shown import BLUE

WIDTH, HEIGHT = 880, 330
BOX_WIDTH, BOX_HEIGHT = 132, 58
INK, FAINT, PAPER, LIT = "#1f2328", "#57606a", "#ffffff", "#e3f1fa"


@dataclass(frozen=True)
class Part:
    name: str
    title: str
    told: str
    """a few words below the title"""
    x: int
    y: int


PARTS = (
    Part("commit", "Application", "a commit", 20, 30),
    Part("repository", "CodeCommit", "the repository", 20, 130),
    Part("pipeline", "CodePipeline", "four stages in a row", 192, 130),
    Part("bake", "SSM Automation", "bakes the image", 364, 30),
    Part("build", "CodeBuild", "mvn package", 364, 130),
    Part("deploy", "CodeDeploy", "copies, turns over", 364, 230),
    Part("image", "Golden AMI", "freshly patched", 536, 30),
    Part("balancer", "Load balancer", "one address", 536, 130),
    Part("alarms", "Alarms", "stop a bad release", 192, 230),
    Part("blue", "Blue fleet", "serves before", 708, 80),
    Part("green", "Green fleet", "serves after", 708, 180),
)
TIP = (
    "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' "
    f"orient='auto'><path d='M0 0 L8 4 L0 8 z' fill='{INK}'/></marker></defs>"
)
"""an arrow's"""
ARROWS = (
    *(("commit", "repository"), ("repository", "pipeline"), ("pipeline", "bake"), ("pipeline", "build")),
    *(("pipeline", "deploy"), ("bake", "image"), ("balancer", "blue"), ("balancer", "green")),
    *(("alarms", "deploy"), ("deploy", "green"), ("image", "green")),
)


def picture(runbook: str) -> Picture:
    """New parts filled and framed thick, earlier ones framed, later ones dashed and grey."""
    new = set(CHAPTERS[runbook].parts) if runbook in CHAPTERS else set()
    there = {name for one in CHAPTERS.values() if one.number < runbook for name in one.parts}
    places = {part.name: part for part in PARTS}
    drawn = [_arrow(places[begin], places[end], {begin, end} <= new | there) for begin, end in ARROWS]
    drawn += [_box(part, part.name in new, part.name in there) for part in PARTS]
    words = _words(new, there)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"font-family='system-ui, sans-serif' "
        f"aria-label='{html.escape(words)}'>"
        f"<title>{html.escape(words)}</title>"
        f"{TIP}"
        f"<rect width='{WIDTH}' height='{HEIGHT}' rx='10' fill='{PAPER}'/>{''.join(drawn)}</svg>"
    )
    return Picture(svg, words)


def _words(new: set[str], there: set[str]) -> str:
    def titles(names: set[str]) -> str:
        return ", ".join(part.title for part in PARTS if part.name in names) or "nothing"

    later = {part.name for part in PARTS} - new - there
    return f"New here: {titles(new)}. There before: {titles(there)}. Still to come: {titles(later)}."


def _box(part: Part, new: bool, there: bool) -> str:
    colour = INK if new or there else FAINT
    frame = f"stroke='{BLUE if new else colour}' stroke-width='{3 if new else 1.2}'"
    dashes = "" if new or there else " stroke-dasharray='5 4'"
    middle = part.x + BOX_WIDTH // 2
    return (
        f"<rect x='{part.x}' y='{part.y}' width='{BOX_WIDTH}' height='{BOX_HEIGHT}' rx='7' "
        f"fill='{LIT if new else PAPER}' {frame}{dashes}/>"
        f"<text x='{middle}' y='{part.y + 25}' text-anchor='middle' font-size='13' "
        f"font-weight='{700 if new else 500}' fill='{colour}'>{part.title}</text>"
        f"<text x='{middle}' y='{part.y + 43}' text-anchor='middle' font-size='11.5' fill='{colour}'>"
        f"{part.told}</text>"
    )


def _arrow(begin: Part, end: Part, lit: bool) -> str:
    """From the edge of one box to the edge of the other, straight."""
    (x1, y1), (x2, y2) = _middle(begin), _middle(end)
    if abs(x2 - x1) < BOX_WIDTH:
        down = 1 if y2 > y1 else -1
        ends = (x1, y1 + down * BOX_HEIGHT // 2, x2, y2 - down * BOX_HEIGHT // 2)
    else:
        right = 1 if x2 > x1 else -1
        ends = (x1 + right * BOX_WIDTH // 2, y1, x2 - right * BOX_WIDTH // 2, y2)
    points = "x1='{}' y1='{}' x2='{}' y2='{}'".format(*ends)
    stroke = f"stroke='{INK if lit else FAINT}'" + ("" if lit else " stroke-dasharray='5 4'")
    return f"<line {points} {stroke} stroke-width='1.2' marker-end='url(#tip)'/>"


def _middle(part: Part) -> tuple[int, int]:
    return part.x + BOX_WIDTH // 2, part.y + BOX_HEIGHT // 2
