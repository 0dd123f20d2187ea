"""``make kafka``: a broker in the foreground, until Ctrl-C.

Owns: what it prints. Must not: hold any logic.
"""

import os
import signal
import sys

from postcart.adapters.local_kafka import default_cache, open_broker
from postcart.errors import BrokerUnavailable

_UNREACHABLE = 3
"""Exit status of every Postcart command that can't reach Kafka."""


def main() -> int:
    """Run a broker until it is told to stop; returns the exit status."""
    stops = {signal.SIGINT, signal.SIGTERM}
    try:
        with open_broker(os.environ.get("KAFKA_BOOTSTRAP"), cache=default_cache(os.environ)) as broker:
            signal.pthread_sigmask(signal.SIG_BLOCK, stops)
            sys.stdout.write(
                f"Kafka answers at {broker.bootstrap}\n\n"
                "In another terminal:\n"
                f"  export KAFKA_BOOTSTRAP={broker.bootstrap}       # make test, make bench use this broker\n"
                f"  export POSTCART_BOOTSTRAP={broker.bootstrap}    # postcart ... uses this broker\n"
                "  .venv/bin/postcart topics create\n\n"
                "Ctrl-C stops it and throws its data away.\n"
            )
            sys.stdout.flush()
            signal.sigwait(stops)
    except BrokerUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return _UNREACHABLE
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
