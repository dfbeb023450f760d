"""When a runbook runs by itself: one hour as a cron line, a systemd timer, or a schedule inside AWS."""
