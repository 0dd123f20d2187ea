"""From one cart event to the lines that it changes.

Owns: the rules of Cart. Must not: know sessions or persons.
"""

from decimal import Decimal

from oracle.basics import Json, Line, place


def named(entry: Json, event: Json) -> Line:
    """The line as an added, changed or snapshot states it."""
    product = entry.get("product") or {}
    return Line(
        variant=entry["variant_id"],
        quantity=entry["quantity"],
        changed=place(event),
        price=Decimal(entry["unit_price"]),
        currency=entry.get("currency"),
        category=product.get("category"),
    )


def taken_out(variant: str, event: Json) -> Line:
    """The variant is not in the cart any more."""
    return Line(variant=variant, quantity=0, changed=place(event))


def changed_lines(cart: dict[str, Line], event: Json) -> list[Line]:
    """The lines that this event changes in ``cart``."""
    inside = [line.variant for line in cart.values() if line.quantity]
    match event["type"]:
        case "added" | "changed":
            return [named(event["line"], event)]
        case "removed":
            return [taken_out(event["variant_id"], event)]
        case "snapshot":
            stated = {entry["variant_id"]: named(entry, event) for entry in event["lines"]}
            return [*stated.values(), *(taken_out(variant, event) for variant in inside if variant not in stated)]
        case "cleared":
            return [taken_out(variant, event) for variant in inside]
    return []
