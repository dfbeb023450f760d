"""Who may enter a stage: one execution at a time, in the order of its execution mode.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

from gbg_sandbox.clock import Clock, ShuttingDown
from gbg_sandbox.services.codepipeline.state import SUPERSEDED, Execution, Pipeline

LOOK_SECONDS = 0.5


class ExecutionStopped(Exception):
    """StopPipelineExecution came before the next stage or action."""


class ExecutionSuperseded(Exception):
    """A later execution stands before the same stage."""


def enter(pipeline: Pipeline, execution: Execution, stage: str, clock: Clock, *, first: bool = False) -> None:
    """Wait until the stage is free and its transition enabled. Raises ExecutionStopped or -Superseded.

    `first` is for a retried execution, which has been inside before.
    """
    with pipeline.changed:
        line = pipeline.waiting.setdefault(stage, [])
        if execution.mode == SUPERSEDED.upper():
            line.clear()
        line.insert(0 if first else len(line), execution.id)
        pipeline.changed.notify_all()
        try:
            while True:
                if clock.stopped:
                    raise ShuttingDown
                if execution.stop.is_set():
                    raise ExecutionStopped
                if execution.id not in line:
                    raise ExecutionSuperseded
                if _free(pipeline, execution, stage):
                    break
                pipeline.changed.wait(LOOK_SECONDS)
        finally:
            if execution.id in line:
                line.remove(execution.id)
        pipeline.occupants[stage] = execution.id
        pipeline.latest_in_stage[stage] = execution.id


def leave(pipeline: Pipeline, execution: Execution, stage: str) -> None:
    with pipeline.changed:
        if pipeline.occupants.get(stage) == execution.id:
            del pipeline.occupants[stage]
        pipeline.changed.notify_all()


def _free(pipeline: Pipeline, execution: Execution, stage: str) -> bool:
    if execution.mode == "PARALLEL":
        return True
    line = pipeline.waiting[stage]
    return (
        pipeline.transition(stage).enabled
        and stage not in pipeline.occupants
        and bool(line)
        and line[0] == execution.id
    )
