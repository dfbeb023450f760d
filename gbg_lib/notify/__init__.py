"""Who is told when a run ends, fails or is refused by a gate: an SNS topic, or a webhook in Slack's form."""
