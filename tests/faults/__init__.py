"""Proof of the guarantees: real workers, real brokers, real SMTP, faults, and a ledger that the mail server keeps.

Rooms: ``scenario`` describes what is done and what is allowed. ``rows`` lists all scenarios on the way from a cart to a
mail, ``channel_rows`` those of other channels, ``matrix`` all. ``load`` makes histories and asks the naive
implementation what should come of them; ``world`` runs the pipeline, ``channels`` senders alone, ``injectors`` hurts
them; ``evidence`` reads back what happened, ``judge`` compares; ``results`` and ``table`` write it down.
"""
