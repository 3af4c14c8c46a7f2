"""The ssh front: SSH spoken on the host, with the agent behind it; no sshd in the image."""
