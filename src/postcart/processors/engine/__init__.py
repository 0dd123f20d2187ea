"""The Kafka shell of every stage: batches in, one transaction out, state restored from the changelog.

Owns: when a task runs, what is committed and when, restore, watchdogs, the worker process. Must not: know what a
stage decides.
"""
