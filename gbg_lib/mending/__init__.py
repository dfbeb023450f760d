"""What is no longer as the stack believes: told in words, mended, swept."""
