"""An AWS on this machine that really runs a golden-AMI blue/green release.

Nothing here is known to `gbg_lib`: the two meet at the AWS APIs and at git.
"""
