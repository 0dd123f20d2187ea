"""The topics of Postcart: how they must be, making them, checking them.

Owns: everything about topics but their records. Must not: read or write records.
"""

from postcart.adapters.topics.checking import check, partition_count, require_topics
from postcart.adapters.topics.client import Admin
from postcart.adapters.topics.creation import Created, commit_beginnings, create
from postcart.adapters.topics.sampling import check_keys
from postcart.adapters.topics.table import (
    Stage,
    Topic,
    alert_group,
    alert_inputs,
    all_topics,
    changelog,
    job_topics,
    joined,
    poll_group,
    poll_inputs,
    project_group,
    project_inputs,
    stage_group,
    stage_inputs,
    stages,
    topic_counts,
)

__all__ = [
    "Admin",
    "Created",
    "Stage",
    "Topic",
    "alert_group",
    "alert_inputs",
    "all_topics",
    "changelog",
    "check",
    "check_keys",
    "commit_beginnings",
    "create",
    "job_topics",
    "joined",
    "partition_count",
    "poll_group",
    "poll_inputs",
    "project_group",
    "project_inputs",
    "require_topics",
    "stage_group",
    "stage_inputs",
    "stages",
    "topic_counts",
]
