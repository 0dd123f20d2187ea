"""Payloads: bytes and files to typed records and back.

Owns: framings, schemas, dead letters' form, file formats. Must not: reach for Kafka, a clock or settings.
"""
