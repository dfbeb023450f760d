"""SNS: topics and subscriptions, kept by moto; published messages are seen on the event stream."""
