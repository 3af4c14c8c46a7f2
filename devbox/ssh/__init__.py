"""The ssh front: speaks SSH to the client's own ssh over two pipes, and has the agent do the work. No sshd inside."""
