"""Kept records: examples to read, and releases that failed by their own fault, to rehearse."""
