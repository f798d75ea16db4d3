"""What a rollback needs beside the server: where it is put on record, hooks, the watcher, client programs."""
