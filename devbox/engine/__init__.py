"""Engine: a program that runs containers, reached over the Engine API (Docker, Podman's service, a remote Docker)."""
