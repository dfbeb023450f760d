"""The `gbg` command: reads words, asks the libraries, prints. Only this package knows about terminals."""
