"""EventBridge Scheduler: schedules, their groups, and the calls they make under their own role."""
