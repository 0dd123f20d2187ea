"""What JOURNEY writes for the senders: the gate record of each person, and how far orders were read.

Owns: the form of gate records and the sealing of contact points. Must not: decide what stops a job.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from msgspec import structs

from postcart.domain.consent import counts
from postcart.domain.journey.contacts import contact_points, push_text
from postcart.domain.journey.person import Person, contact_ids_of, known_profile
from postcart.events.gate import GateConsent, GatePerson, GateProgress
from postcart.events.shop import ProfileUpdated, PushSubscription, time_ms
from postcart.processors.engine.task import Output


class ContactSealer(Protocol):
    """Encrypts per person (adapters.vault)."""

    def new_key(self) -> bytes:
        """A fresh data key, wrapped by the master key."""
        ...

    def seal(self, wrapped: bytes, person_id: str, plaintext: str) -> str:
        """The text under the person's key."""
        ...


def as_told(text: str, _country: str | None) -> str:
    """A number in the form in which the shop told it."""
    return text


class GateWriter:
    """Collects what is to be told to the senders until the transaction is written.

    ``phone`` brings a number, of a country, into the one form by which it is known everywhere.
    """

    def __init__(
        self,
        *,
        gate_topic: str,
        keys_topic: str,
        sealer: ContactSealer,
        contact_id: Callable[[str, str], str],
        partition: int,
        progress_interval_ms: int,
        at_once: bool = True,
        phone: Callable[[str, str | None], str] = as_told,
    ) -> None:
        self._gate_topic = gate_topic
        self._keys_topic = keys_topic
        self._sealer = sealer
        self._contact_id = contact_id
        self._partition = partition
        self._progress_interval_ms = progress_interval_ms
        self._at_once = at_once
        self._phone = phone
        self._changed: dict[str, Person] = {}
        self._keys: list[Output] = []
        self._sealed: set[str] = set()
        self._read_ms = 0
        self._carts_ms: int | None = None
        self._told_ms = 0
        self._encode = msgspec.json.Encoder().encode

    def sealed(self, person: Person, profile: ProfileUpdated) -> ProfileUpdated:
        """The profile with its contact points encrypted: in clear they are never stored. Makes the person's key.

        The person keeps their opaque ids, as long as the profile may still count. A consent that it takes back is told
        to the senders before the profile's time has come, as returns are; not in a replay: that goes by event time.
        """
        if person.wrapped_key is None:
            person.wrapped_key = self._sealer.new_key()
            self._keys.append(Output(self._keys_topic, person.person_id.encode(), person.wrapped_key))
        wrapped = person.wrapped_key
        if profile.phone:
            profile = structs.replace(profile, phone=self._phone(profile.phone, profile.country))
        self._keep_contact_ids(person, profile)
        if self._at_once and any(not consent.given for consent in profile.consents):
            self.changed(person)

        def seal(text: str | None) -> str | None:
            return self._sealer.seal(wrapped, person.person_id, text) if text else None

        push = tuple(
            PushSubscription(kind=one.kind, token=self._sealer.seal(wrapped, person.person_id, push_text(one)))
            for one in profile.push
        )
        return structs.replace(
            profile, email=seal(profile.email), phone=seal(profile.phone), name=seal(profile.name), push=push
        )

    def changed(self, person: Person) -> None:
        """The person's gate record is to be written."""
        self._changed[person.person_id] = person

    def read_up_to(self, orders_ms: int, carts_ms: int | None) -> None:
        """How far JOURNEY and DETECT had read, in real wall time; see ``GateProgress``."""
        self._read_ms, self._carts_ms = orders_ms, carts_ms

    @property
    def pending(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._changed or self._keys or self._progress_is_due)

    @property
    def _progress_is_due(self) -> bool:
        return self._read_ms >= self._told_ms + self._progress_interval_ms

    def drain(self) -> list[Output]:
        """The records to write; forgets them. Rows are to be written in the same transaction, after this call."""
        outputs, self._keys = self._keys, []
        self._sealed.clear()
        for person in self._changed.values():
            record = gate_record(person, at_once=self._at_once)
            person.hints_told = bool(record.hints)
            outputs.append(Output(self._gate_topic, person.person_id.encode(), self._encode(record)))
        self._changed = {}
        if self._progress_is_due or (outputs and self._read_ms > self._told_ms):
            progress = GateProgress(
                partition=self._partition, orders_read_ms=self._read_ms, carts_read_ms=self._carts_ms
            )
            key = f"!progress:{self._partition}".encode()
            outputs.append(Output(self._gate_topic, key, self._encode(progress), self._partition))
            self._told_ms = self._read_ms
        return outputs

    def _keep_contact_ids(self, person: Person, profile: ProfileUpdated) -> None:
        self._sealed.add(profile.id)
        waiting = {item.id for item in person.pending if isinstance(item, ProfileUpdated)}
        needed = self._sealed | waiting | ({person.profile.id} if person.profile else set())
        kept = {key: found for key, found in person.contact_ids.items() if key.rpartition("/")[0] in needed}
        new = {
            f"{profile.id}/{channel}": " ".join(self._contact_id(channel, point) for point in points)
            for channel, points in contact_points(profile).items()
        }
        person.contact_ids = kept | new


def gate_record(person: Person, *, at_once: bool = True) -> GatePerson:
    """What senders need of ``person``; contact points are sealed already.

    ``at_once``: consents that profiles not yet folded take back count already. Contact points of such a profile count
    only for who has none yet: news of a parcel does not wait for carts.
    """
    folded, profile = person.profile, known_profile(person)
    consents = {
        f"{item.channel}/{item.purpose}": counts(item.channel, item.purpose, given=item.given)
        for item in (folded.consents if folded else ())
    }
    if at_once:
        consents |= dict.fromkeys(_taken_back(person), False)
    consents |= person.consents
    contacts = contact_points(profile) if profile else {}
    return GatePerson(
        person_id=person.person_id,
        contacts={channel: " ".join(points) for channel, points in contacts.items()},
        contact_ids=contact_ids_of(person, profile),
        name=profile.name if profile else None,
        locale=profile.locale if profile else None,
        time_zone=profile.time_zone if profile else None,
        country=profile.country if profile else None,
        consents=tuple([_gate_consent(key, given=given) for key, given in sorted(consents.items())]),
        stops=tuple(person.stops.values()),
        hints=tuple(person.hints.values()),
        cancelled=dict(person.cancelled),
        unconfirmed=tuple(
            f"{item.channel}/{item.purpose}"
            for item in (profile.consents if profile else ())
            if item.given and not counts(item.channel, item.purpose, given=True)
        ),
    )


def _taken_back(person: Person) -> Iterator[str]:
    """What profiles on their way refuse; one that is older than the present profile will not count."""
    known_ms = time_ms(person.profile) if person.profile else 0
    for item in person.pending:
        if isinstance(item, ProfileUpdated) and time_ms(item) >= known_ms:
            yield from (f"{consent.channel}/{consent.purpose}" for consent in item.consents if not consent.given)


def _gate_consent(key: str, *, given: bool) -> GateConsent:
    channel, _, purpose = key.partition("/")
    return GateConsent(channel, purpose, given)  # type: ignore[arg-type]  # keys are made of the closed sets
