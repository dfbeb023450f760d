"""Documents: versions of Command and Automation documents, checked when they are made."""
