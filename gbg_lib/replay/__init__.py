"""A run again, without AWS: what came from outside is kept in order, and given back in that order.

Everything a notebook hears from outside goes through `tape.asked`, a session of `session`, or `clock`;
docs/replay.md tells what is kept. Where no run keeps its replies, nothing here does anything.
"""
