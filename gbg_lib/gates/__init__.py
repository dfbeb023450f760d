"""Conditions that must hold for a release to go on.

A gate has a limit in time and three verdicts: pass, fail, can't tell. What it can't tell a person decides;
where nobody is there to ask, that is a refusal.
"""
