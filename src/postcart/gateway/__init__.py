"""What comes in from outside by other ways than Kafka: mails that come back.

Owns: from a message of the outside world to records of ours. Must not: listen (adapters), or decide what follows.
"""
