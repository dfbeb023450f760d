"""One runbook for one environment, at a set hour.

Set as Airflow variables or in its environment: AIRFLOW_VAR_GBG_RUNBOOK (rebake), AIRFLOW_VAR_GBG_FILE
(parameters/jobs/rebake.yaml of this project), AIRFLOW_VAR_GBG_RUNS (where notebooks are kept),
AIRFLOW_VAR_GBG_SCHEDULE (`0 2 * * *`, in UTC; `None` for by hand only).
"""

from datetime import datetime, timedelta

from airflow.sdk import DAG, Variable

from gbg_lib.scheduling.airflow.operator import RUNBOOKS, RUNS, RunbookOperator

FILE = RUNBOOKS.parent / "parameters" / "jobs" / "rebake.yaml"
SCHEDULE = Variable.get("gbg_schedule", default="0 2 * * *")

with DAG(
    "gbg_one_runbook",
    schedule=None if SCHEDULE == "None" else SCHEDULE,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["golden-blue-green"],
):
    RunbookOperator(
        task_id="run",
        runbook="{{ var.value.get('gbg_runbook', 'rebake') }}",
        parameters_file="{{ var.value.get('gbg_file', '" + str(FILE) + "') }}",
        runs="{{ var.value.get('gbg_runs', '" + str(RUNS) + "') }}",
        retries=12,
        retry_delay=timedelta(minutes=10),
    )
