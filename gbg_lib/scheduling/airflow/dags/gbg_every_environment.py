"""One runbook for every parameters file of a folder: many accounts, Regions, applications.

A file is an environment and a task of its own: what one of them fails on keeps no other from running. How
many run at once is Airflow's to say (`[core] parallelism`, a pool) and GBG_AT_ONCE's for this DAG.

Set as Airflow variables or in its environment: AIRFLOW_VAR_GBG_RUNBOOK (rebake), AIRFLOW_VAR_GBG_FOLDER (the
parameters files), AIRFLOW_VAR_GBG_RUNS, AIRFLOW_VAR_GBG_SCHEDULE, AIRFLOW_VAR_GBG_AT_ONCE (4).
"""

from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Variable, task

from gbg_lib.scheduling.airflow.operator import RUNS, RunbookOperator

SCHEDULE = Variable.get("gbg_schedule", default="0 2 * * *")

with DAG(
    "gbg_every_environment",
    schedule=None if SCHEDULE == "None" else SCHEDULE,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["golden-blue-green"],
):

    @task  # type: ignore[untyped-decorator]
    def environments() -> list[dict[str, str]]:
        """A mapping a file: what RunbookOperator is given of it."""
        files = sorted(Path(Variable.get("gbg_folder")).glob("*.yaml"))
        if not files:
            raise FileNotFoundError(f"no parameters files in {Variable.get('gbg_folder')}")
        return [{"parameters_file": str(file)} for file in files]

    RunbookOperator.partial(
        task_id="run",
        runbook="{{ var.value.get('gbg_runbook', 'rebake') }}",
        runs="{{ var.value.get('gbg_runs', '" + str(RUNS) + "') }}",
        retries=12,
        retry_delay=timedelta(minutes=10),
        max_active_tis_per_dagrun=int(Variable.get("gbg_at_once", default="4")),
        map_index_template="{{ task.parameters_file }}",
    ).expand_kwargs(environments())
