"""Systems Manager: a folder for each of its nouns, put together in `api.py`."""
