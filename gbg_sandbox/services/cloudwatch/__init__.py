"""CloudWatch: metrics in memory, alarms that are really evaluated."""
