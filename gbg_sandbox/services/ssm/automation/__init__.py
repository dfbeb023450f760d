"""Automation: documents of schema 0.3 that really run, step by step, under their role."""
