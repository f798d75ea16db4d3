"""Pure rules of a migration run: no clock, no input or output, standard library only."""
