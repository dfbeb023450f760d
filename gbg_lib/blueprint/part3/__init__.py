"""Part 3: the pipeline. The template takes the functions from here."""
