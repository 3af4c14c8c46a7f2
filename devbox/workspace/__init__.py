"""Workspace: the verbs; the only place that wires rooms together."""
