"""Renderers of a report: Markdown, HTML, JSON. Each takes the same value and only draws it."""
