"""Runs that were: their folders, their results, and going on from them."""
