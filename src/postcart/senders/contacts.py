"""Several contact points of a person on one channel, as the gate's record has them.

Owns: how they are taken apart and left out. Must not: open them.
"""

from collections.abc import Collection

from msgspec import structs

from postcart.events.gate import GatePerson
from postcart.events.jobs import Channel


def sealed_points(person: GatePerson, channel: Channel) -> list[tuple[str, str]]:
    """Opaque id and sealed text of each."""
    ids, texts = person.contact_ids.get(channel, "").split(), person.contacts.get(channel, "").split()
    return list(zip(ids, texts, strict=False))


def without(person: GatePerson, channel: Channel, left: Collection[str]) -> GatePerson:
    """The person with only those contact points that are ``left``, by their ids; one alone always stays."""
    points = sealed_points(person, channel)
    kept = [point for point in points if point[0] in left]
    if len(kept) in {0, len(points)}:
        return person
    return structs.replace(
        person,
        contacts={**person.contacts, channel: " ".join(text for _, text in kept)},
        contact_ids={**person.contact_ids, channel: " ".join(one for one, _ in kept)},
    )
