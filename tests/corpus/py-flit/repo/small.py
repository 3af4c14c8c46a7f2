"""Small."""
__version__ = "1"
