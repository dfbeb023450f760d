"""The CodeDeploy agent of the sandbox. Runs in a machine with the standard library and PyYAML only.

Layout, environment, messages and diagnostics follow AWS's agent: https://github.com/aws/aws-codedeploy-agent
"""
