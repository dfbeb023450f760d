"""CloudWatch Logs: groups, streams and their events, kept by moto."""
