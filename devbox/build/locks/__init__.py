"""Readers of the lock files that Python's package managers write into a repo: text in, exact requirements out. Pure."""
