"""The SSM agent: registers the machine with Systems Manager and runs the commands it is sent."""
