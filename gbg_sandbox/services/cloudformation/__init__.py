"""CloudFormation: an engine of its own that creates every resource through the public AWS APIs."""
