"""Adapters: everything that talks to something outside this process, each behind a port of its own.

Owns: Kafka, SMTP, clocks, encryption, the sources of a broker. Must not: decide anything about carts or messages.
"""
