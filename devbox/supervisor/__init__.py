"""The Supervisor: the one background process that an Environment has while it needs one. Stands on asyncio alone."""
