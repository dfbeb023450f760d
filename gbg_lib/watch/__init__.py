"""What goes on inside a release while somebody watches it: bit by bit, at most so many requests a second.

Following a release, and its gates, is the step's own work (`gbg_lib.pipeline`, `gbg_lib.gates`) and asks for
itself. This only looks, and what can't be looked at is told, never raised: watching stops no release.
"""
