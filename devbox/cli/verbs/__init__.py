"""One file per verb: its arguments, one call into `workspace`, one result rendered."""
