"""What is secret, and that nothing tells it."""
