"""The library that the runbooks call."""
