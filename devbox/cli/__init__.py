"""The command line: verbs, what a person sees, JSON, and the one place where errors are caught."""
