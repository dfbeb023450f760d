"""The private service through which Systems Manager's agents get their work and send their answers."""
