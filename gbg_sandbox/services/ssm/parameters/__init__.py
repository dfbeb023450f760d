"""Parameter Store: moto keeps the values, here are events, public parameters and image validation."""
