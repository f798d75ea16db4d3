"""What a run does, in asyncio, behind ports: the session that every surface talks to."""
