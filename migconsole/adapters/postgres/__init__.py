"""The watched server: connections, identity, probes and checks; the only place that knows asyncpg."""
