"""The ways back from a release: which are open, what each costs, one taken and proved."""
