"""The embedded PostgreSQL, the sample database, its migrations and its workload."""
