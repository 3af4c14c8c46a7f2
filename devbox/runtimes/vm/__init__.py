"""The runtime `vm`: an Instance is a QEMU machine, over `devbox.vm`."""
