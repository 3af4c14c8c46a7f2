"""Proof that two Images hold the same: content manifests, taken from an engine's export and compared."""
