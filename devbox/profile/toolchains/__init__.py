"""Which versions of toolchains a profile may ask for, what the distributions hold, and which base holds what. Pure."""
