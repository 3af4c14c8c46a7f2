"""Where there is no engine: images made on this host by its own programs, for virtual machines alone."""
