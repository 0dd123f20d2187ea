"""What a worker is called.

Owns: the default where no name is configured. Must not: be used for anything that must survive the process.
"""

import os
import socket

from postcart.settings import Settings


def worker_name(settings: Settings) -> str:
    """The configured name, else host and process: unique, but new after each restart."""
    return settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"
