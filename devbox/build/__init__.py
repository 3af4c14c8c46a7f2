"""Build: a Profile becomes an Image, step by step, on an engine."""
