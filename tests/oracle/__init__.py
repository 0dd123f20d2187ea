"""A second, deliberately naive implementation of docs/decisions.md.

Owns: an independent opinion on every decision, worked out batch-wise from whole histories, slowly and plainly. Must
not: import anything of ``postcart``, or be made clever: its only use is to disagree where the product is wrong.
"""

from oracle.campaign import Campaign
from oracle.decide import decide
from oracle.rees46 import read_rows, structure

__all__ = ["Campaign", "decide", "read_rows", "structure"]
