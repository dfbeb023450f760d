"""Release golden AMI and application together, blue/green: what the runbooks call.

The same on AWS and on the sandbox; `gbg_lib.aws.open_aws` chooses by the parameters which it is.
"""
