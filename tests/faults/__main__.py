"""``python -m tests.faults ROW…``: run rows of the fault matrix.

Owns: the command line. Must not: run anything by itself.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # what tests share, as pytest has it

from faults.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
