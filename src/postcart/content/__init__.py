"""What messages say and look like: templates, languages, mail, DKIM, links; and campaigns as files.

Owns: the path from data to bytes. Must not: send, know Kafka, or decide.
"""
