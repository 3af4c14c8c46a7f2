"""What is decided about two trees. Pure: no file, no process, no clock."""
