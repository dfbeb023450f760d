"""Programs that run inside the build container, with its own Python and the standard library only."""
