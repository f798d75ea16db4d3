"""Checklist files: YAML in, domain objects and located problems out."""
