"""CloudTrail look-ups."""
