"""Python: what its manifests say (`files`), what its tests need (`tests`), and what follows (`stack`)."""
