"""Steps: one small module per kind, each a pure function from values to a Step."""
