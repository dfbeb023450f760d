"""CodeCommit: real git repositories behind AWS's API and git's own protocol."""
