"""A Maven repository for builds without the internet, made from the host's Debian packages."""
