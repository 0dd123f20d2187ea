"""What became of a person's carts and messages, told from the records of the pipeline.

Owns: the order of things, what belongs together, and the state that results. Must not: decide, or keep records.
"""
