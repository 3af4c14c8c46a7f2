"""The agent: the small static program inside every Environment, and how the host speaks to it."""
