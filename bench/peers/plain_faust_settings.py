"""How the plain Faust app is tuned: tried upwards from the defaults until nothing got faster."""

SETTINGS = {
    "broker_max_poll_records": 5_000,
    "consumer_max_fetch_size": 8 * 1024 * 1024,
    "producer_linger": 0.05,
    "producer_max_batch_size": 256 * 1024,
    "producer_acks": -1,
    "stream_buffer_maxsize": 16_384,
    "stream_wait_empty": False,
    "table_cleanup_interval": 3600.0,
    "broker_commit_interval": 1.0,
    "broker_commit_every": 50_000,
    "web_enabled": False,
    "topic_disable_leader": True,
}
