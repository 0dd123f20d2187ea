"""The person's cart over all devices: per variant the latest change on any device wins.

Owns: merging what devices tell, and what an order takes away. Must not: know episodes.
"""

from collections.abc import Iterable, Mapping

from postcart.domain.journey.person import Device, Person
from postcart.events.signals import LineState


def device_of(person: Person, visitor_id: str) -> Device:
    """The device of ``visitor_id``, new if the person did not have it."""
    device = person.devices.get(visitor_id)
    if device is None:
        device = person.devices[visitor_id] = Device()
    return device


def keep_former(person: Person, visitor_id: str, at_ms: int) -> None:
    """The visitor is no longer this person's; its lines stay for a while, apart from what it may bring later."""
    device = person.devices.pop(visitor_id, None)
    if device is not None and device.lines:
        device.left_ms = at_ms
        person.devices[f"{visitor_id}#{at_ms}"] = device


def merge(person: Person, device: Device, lines: Iterable[LineState]) -> None:
    """Take in changed lines of a device. What an order has taken away stays away. Idempotent."""
    merge_newer(device.lines, (line for line in lines if line.changed_ms > person.ordered_ms))


def merge_newer(known: dict[str, LineState], lines: Iterable[LineState]) -> None:
    """Let newer changes replace older ones."""
    for line in lines:
        former = known.get(line.variant_id)
        if former is None or _at_least_as_new(line, former):
            known[line.variant_id] = line


def order_takes(person: Person, at_ms: int) -> None:
    """Remove every line last changed at or before the order, on all devices."""
    for device in person.devices.values():
        device.lines = {variant: line for variant, line in device.lines.items() if line.changed_ms > at_ms}


def united(person: Person) -> tuple[LineState, ...]:
    """The lines that are in the person's cart, by variant id."""
    return unite({visitor_id: device.lines for visitor_id, device in person.devices.items()})


def unite(devices: Mapping[str, Mapping[str, LineState]]) -> tuple[LineState, ...]:
    """The lines in the cart over all devices; ties of time and sequence go to the larger visitor id."""
    latest: dict[str, LineState] = {}
    for visitor_id in sorted(devices):
        for variant, line in devices[visitor_id].items():
            former = latest.get(variant)
            if former is None or _at_least_as_new(line, former):
                latest[variant] = line
    return tuple([latest[variant] for variant in sorted(latest) if latest[variant].quantity])


def _at_least_as_new(line: LineState, former: LineState) -> bool:
    return (line.changed_ms, line.sequence) >= (former.changed_ms, former.sequence)
