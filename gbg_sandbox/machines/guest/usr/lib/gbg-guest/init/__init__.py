"""A small systemd: enough of units, services and the journal to run an application server."""
