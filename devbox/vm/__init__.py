"""Machines: QEMU, its disks, kernels and the way to the agent inside."""
