"""Two trees kept equal, one on the host and one in the guest, with nothing ever lost."""
