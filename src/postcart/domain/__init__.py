"""The rules: sessions and abandonments (detect), episodes and steps (journey), campaigns, quiet hours.

Owns: every decision, as functions of state, events and time. Must not: read a clock, draw a random number, do I/O or
know Kafka.
"""
