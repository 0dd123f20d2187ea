"""How old is what a sender knows, and when it is too old to send a reminder on.

Owns: these bounds, which make the promise: an order appended 15 s before the claim stops the reminder. Must not: read a
clock.

Each bound counts from a moment at which a high watermark was *asked for*, so whatever was appended before it is known.
Orders, opt-outs, returns and emptied carts go through JOURNEY, at most 10 s old when judged; a claim that is 5 s old
opens no socket.
"""

from typing import Literal, NamedTuple

GATE_AGE_MAX_S = 1.0
"""A marketing job needs the gate read to a high watermark taken at most this long ago."""

ORDERS_AGE_MAX_MS = 10_000
"""A marketing job needs JOURNEY to have read orders, consents and profiles to their ends at most this long ago."""

CARTS_AGE_MAX_MS = 10_000
"""And DETECT sessions and carts."""

TABLES_AGE_MAX_S = 10.0
"""And this sender the catalogue and the suppressions."""

Lack = Literal["gate_behind", "orders_behind", "carts_behind", "tables_behind"]


class Freshness(NamedTuple):
    """How old the knowledge of a job's partition is, in real time; ``None``: nothing is known yet."""

    gate_age_s: float | None
    """Since the high watermark was asked for up to which the gate has been read."""
    orders_age_ms: int | None
    """Since JOURNEY had read orders, consents and profiles to their high watermarks."""
    carts_age_ms: int | None = 0
    """Since DETECT had read sessions and carts, as JOURNEY knows it; 0 where JOURNEY does not tell: in a replay."""
    tables_age_s: float | None = 0.0
    """Since the high watermarks were asked for up to which catalogue and suppressions have been read."""

    @property
    def read_once(self) -> bool:
        """Whether everything has been read at least once: enough for a transactional message."""
        return self.gate_age_s is not None and self.tables_age_s is not None

    def lacking(self) -> Lack | None:
        """Why a marketing job can't be judged yet."""
        if self.gate_age_s is None or self.gate_age_s > GATE_AGE_MAX_S:
            return "gate_behind"
        if self.tables_age_s is None or self.tables_age_s > TABLES_AGE_MAX_S:
            return "tables_behind"
        # abs: where clocks were set back, a time that lies ahead proves nothing either
        if self.orders_age_ms is None or abs(self.orders_age_ms) > ORDERS_AGE_MAX_MS:
            return "orders_behind"
        if self.carts_age_ms is None or abs(self.carts_age_ms) > CARTS_AGE_MAX_MS:
            return "carts_behind"
        return None

    def told(self) -> dict[str, str]:
        """As a decision shows it, in seconds."""
        orders_s = None if self.orders_age_ms is None else self.orders_age_ms / 1000
        carts_s = None if self.carts_age_ms is None else self.carts_age_ms / 1000
        ages = {"gate": self.gate_age_s, "orders": orders_s, "carts": carts_s, "tables": self.tables_age_s}
        return {f"{name}_s": "unknown" if age is None else f"{age:.1f}" for name, age in ages.items()}
