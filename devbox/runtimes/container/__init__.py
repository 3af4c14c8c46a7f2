"""The runtime `container`: Instances are containers of an Engine."""
