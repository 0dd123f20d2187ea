"""What happened and what is to be done, as data: shop events, signals, jobs, receipts, decisions.

Owns: the shape of every record that crosses a topic, their order and their ids. Must not: decide anything.
"""
