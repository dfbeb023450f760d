"""What schedulers start at night: steps that decide from the live state whether there is anything to do.

Each is a runbook in `runbooks/jobs/` with a parameters file in `parameters/jobs/`.
"""
