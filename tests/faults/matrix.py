"""All rows of the fault matrix, in the table's order.

Owns: that list. Must not: describe a row.
"""

from faults.channel_rows import CHANNEL_ROWS
from faults.rows import CART_ROWS
from faults.scenario import OwnRow, Row

ROWS: tuple[Row | OwnRow, ...] = (*CART_ROWS, *CHANNEL_ROWS)
BY_NAME = {row.name: row for row in ROWS}
