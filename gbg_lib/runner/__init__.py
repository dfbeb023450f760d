"""Runs a runbook as a job: parameters, kernel, signals, what is written, who is told."""
