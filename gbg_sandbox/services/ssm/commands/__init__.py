"""Run Command: commands, their delivery to the agents and what came back."""
