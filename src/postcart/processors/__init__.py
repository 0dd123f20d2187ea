"""Faust stages: the engine that runs them and the tasks of DETECT and JOURNEY."""
