"""`gbg drill`: a failing release for one or for a group, from the shell."""

from __future__ import annotations

from pathlib import Path

import click

from gbg_cli.terminal import errors_shown, out
from gbg_lib import faults
from gbg_lib.checks import Check
from gbg_lib.drills import DRILLS, Exercise
from gbg_lib.drills.drill import QUESTIONS, draw, predictions
from gbg_lib.parameters import Parameters, load_file


@click.command()
@click.argument("name", default="")
@click.option("--seed", default=0, show_default=True, help="Draws a drill where none is named.")
@click.option("--predict", default="", metavar="ANSWERS", help="What you expect, before you look.")
@click.option("--list", "listed", is_flag=True, help="Which drills there are; spoils the surprise.")
@click.option("--notice", is_flag=True, help="You see that something is wrong: stops the clock.")
@click.option("--hint", is_flag=True, help="The next hint.")
@click.option("--answer", metavar="ANSWERS", help="`stage=Build, serves=blue, cause=application`.")
@click.option("--check", is_flag=True, help="Whether the site is well again, and how long it took.")
@click.option("--mend", is_flag=True, help="Take the fault away and release again.")
@click.option("--end", is_flag=True, help="Take away what the drill left.")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
@click.option("--deployment", default="", help="Whose release it is; the file's by default.")
@click.option("--confirm", default="", help="On AWS: the deployment's name, typed.")
def drill(
    name: str,
    seed: int,
    predict: str,
    listed: bool,
    notice: bool,
    hint: bool,
    answer: str | None,
    check: bool,
    mend: bool,
    end: bool,
    file: Path | None,
    deployment: str,
    confirm: str,
) -> None:
    """Start a drill: plant a fault and begin the release that meets it."""
    with errors_shown():
        if listed:
            for one in DRILLS:
                out.print(f"{one:28} {faults.CATALOGUE[one].what}")
            return
        draw(DRILLS, name, seed)
        predictions(answer or predict)
        values = {**(load_file(file) if file else {}), "drill": name, "seed": seed, "predictions": predict}
        exercise = Exercise(Parameters(**values | ({"deployment": deployment} if deployment else {})))
        if notice:
            exercise.notice()
            _times(exercise)
        elif hint:
            out.print(exercise.hint())
        elif answer is not None:
            _answer(exercise, answer)
        elif mend:
            out.print(f"Release {exercise.mend()[:8]} is on its way: `./gbg run 4` follows it")
        elif check:
            _show(exercise.check_restored())
            _times(exercise)
        elif end:
            out.print(exercise.end())
        else:
            _start(exercise, confirm)


def _start(exercise: Exercise, confirm: str) -> None:
    session = exercise.start(confirm=confirm)
    out.print(f"Release {session.execution[:8]} has begun, and something will go wrong with it.")
    out.print("What will fail, what serves then, and what will it be? `./gbg drill --answer ...`:")
    for question, answers in QUESTIONS.items():
        out.print(f"  {question} is one of {', '.join(answers)}")
    out.print("Watch it in another shell: `./gbg run 4`. As soon as you see it: `./gbg drill --notice`.")
    out.print("Then --answer, --hint, mend it (or --mend), and --check.")
    exercise.strike()


def _answer(exercise: Exercise, text: str) -> None:
    """A prediction while the release goes on, afterwards an answer."""
    session = exercise.session
    if exercise.pipeline.execution(session.execution).over:
        exercise.notice()
        _show(exercise.answer(text))
    else:
        exercise.predict(text)
        out.print("kept; checked when the release is over")


def _show(checks: list[Check]) -> None:
    for one in checks:
        told = "right" if one.passed else f"not yet: {one.try_this}"
        out.print(f"{one.name:10} {one.found:18} {told}")


def _times(exercise: Exercise) -> None:
    for what, seconds in exercise.times().items():
        out.print(f"{what}: {seconds:.0f} s after the failure")
