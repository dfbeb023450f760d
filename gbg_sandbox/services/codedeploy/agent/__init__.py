"""The CodeDeploy agent as machines install it: its program, its unit and its installers."""
