"""Small readers that say on which line of a file something stands. They run nothing, and bound what they take."""
