"""One module per kind of worker: run it until a signal or a failure, and say how it ended."""
