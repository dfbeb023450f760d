"""Managed instances: which agents have reported, and the software they found."""
