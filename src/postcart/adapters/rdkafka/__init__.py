"""Faust transport ``rdkafka://``: group membership and fetching by librdkafka, records in batches.

Owns: the one thread that touches the consumer, and what Faust sees of it. Must not: know stages, state or transactions.
"""
