"""Real data whose licences keep them out of this repository.

Owns: where they are: in ``../shared/data`` beside the repository. Must not: decide what a test does without them.
"""

from pathlib import Path

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"
