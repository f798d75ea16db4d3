"""Read-only knowledge of migration tools: what is applied, pending, failed, edited or unknown."""
