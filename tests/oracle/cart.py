"""From one cart event to the lines that it changes.

Owns: the rules of Cart. Must not: know sessions or persons.
"""

from decimal import Decimal

from oracle.basics import Json, Line, place


def named(cart: dict[str, Line], entry: Json, event: Json, currency: str) -> Line:
    """The line as an added, changed or snapshot states it. Without a product, what the line said before counts."""
    former = cart.get(entry["variant_id"])
    category = former.category if former and former.quantity else None
    if entry.get("product"):
        category = entry["product"].get("category")
    return Line(
        variant=entry["variant_id"],
        quantity=entry["quantity"],
        changed=place(event),
        price=Decimal(entry["unit_price"]),
        currency=entry.get("currency") or currency,
        category=category,
    )


def taken_out(variant: str, event: Json) -> Line:
    """The variant is not in the cart any more."""
    return Line(variant=variant, quantity=0, changed=place(event))


def changed_lines(cart: dict[str, Line], event: Json, currency: str) -> list[Line]:
    """The lines that this event changes in ``cart``."""
    inside = [line.variant for line in cart.values() if line.quantity]
    match event["type"]:
        case "added" | "changed":
            return [named(cart, event["line"], event, currency)]
        case "removed":
            return [taken_out(event["variant_id"], event)]
        case "snapshot":
            stated = {entry["variant_id"]: named(cart, entry, event, currency) for entry in event["lines"]}
            return [*stated.values(), *(taken_out(variant, event) for variant in inside if variant not in stated)]
        case "cleared":
            return [taken_out(variant, event) for variant in inside]
    return []
