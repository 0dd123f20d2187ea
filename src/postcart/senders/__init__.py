"""Senders: from a job to a provider's answer, at most once for carts.

Owns: gate, order per person, claims, receipts. Must not: know a channel (its adapter is handed in) or decide when a
message is due (JOURNEY does).
"""
