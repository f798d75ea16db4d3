"""One outside thing each: checklist files, the journal, PostgreSQL, jobs, themes."""
