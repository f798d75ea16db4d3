"""Questions: each returns a typed answer, None meaning that nothing happens."""
