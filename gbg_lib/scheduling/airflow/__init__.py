"""Airflow 3: an operator that runs a runbook, and two DAGs to begin with. Needs requirements/airflow.lock."""
