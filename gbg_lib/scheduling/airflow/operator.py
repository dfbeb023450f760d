"""A runbook as an Airflow task: the papermill operator with this project's runner in it.

Airflow's own operator takes no engine and tries again whatever stopped a notebook. This one checks
parameters first, keeps a run's folder, and says by its exit status what Airflow is to do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from gbg_lib.errors import DONE, LOCKED, REFUSED, GbgError
from gbg_lib.parameters import checked, load_file
from gbg_lib.runner import outputs
from gbg_lib.runner.afterwards import Afterwards
from gbg_lib.runner.run import find_runbook, run

RUNBOOKS = Path(__file__).resolve().parents[3] / "runbooks"
RUNS = Path(__file__).resolve().parents[3] / "runs"
OF_STATUS = {DONE: AirflowSkipException, REFUSED: AirflowSkipException, LOCKED: AirflowException}
"""a shut gate skips the task, as does a run that only explained; a locked pipeline leaves it to the task's
retries; all else fails it at once"""

log = logging.getLogger(__name__)


class RunbookOperator(PapermillOperator):  # type: ignore[misc]
    """`runbook` is a number, a name or a file, `parameters_file` an environment.

    Runs are kept in `runs`, a folder an environment; what goes to `s3://…` is kept here in `runs/` too.
    """

    template_fields: Sequence[str] = ("runbook", "parameters_file", "runs")

    def __init__(self, *, runbook: str, parameters_file: str, runs: str = str(RUNS), **more: Any) -> None:
        super().__init__(**more)
        self.runbook = runbook
        self.parameters_file = parameters_file
        self.runs = runs

    def execute(self, context: Any) -> str:
        """The run's folder."""
        try:
            return str(self._run())
        except GbgError as error:
            kind: type[Exception] = OF_STATUS.get(error.exit_status, AirflowFailException)
            raise kind(str(error)) from error

    def _run(self) -> Path:
        """Raises GbgError."""
        path = find_runbook(RUNBOOKS, self.runbook)
        environment = Path(self.parameters_file)
        values = load_file(environment)
        in_bucket = outputs.is_bucket(self.runs)
        bucket = outputs.parse(self.runs).below(environment.stem) if in_bucket else None
        folder = (RUNS if in_bucket else Path(self.runs)) / environment.stem
        afterwards = Afterwards(checked(values, self.parameters_file), bucket)
        try:
            done = run(path, values, folder, self._told, afterwards)
        finally:
            for failure in afterwards.failures:
                log.warning("%s", failure)
        afterwards.require_kept()
        return done.folder

    def _told(self, cell: int, cells: int, heading: str) -> None:
        log.info("%s (cell %d of %d)", heading, cell, cells)
