"""Part 1: what stands before the first release. The template takes the functions from here."""
