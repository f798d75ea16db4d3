"""What the schema's fingerprint leaves out."""

from __future__ import annotations

from migconsole.adapters.migrators import MIGRATORS

_RECORDS = [tool.table for tool in MIGRATORS.values() if not tool.schema]

OWN_RECORDS = [*_RECORDS, *(f"{name}_id_seq" for name in _RECORDS), "databasechangelog", "databasechangeloglock"]
"""What migration tools keep for themselves: that it is new does not mean that a migration left something."""
