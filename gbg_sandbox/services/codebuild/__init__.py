"""CodeBuild: runs buildspec.yml in a build container, under the project's service role."""
