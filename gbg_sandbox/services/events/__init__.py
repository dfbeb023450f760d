"""EventBridge: rules on the default bus, their schedules and the delivery to targets."""
