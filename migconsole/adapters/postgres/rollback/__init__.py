"""The server's side of a rollback: what is there, and the one connection that may change it."""
