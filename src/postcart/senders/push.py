"""The push channel: a person's browsers and apps, each by the service that reaches it.

Owns: what a push message is to a sender, and what the answers of several services mean together. Must not: decide when
or whether.

To the sender the services are this channel's providers, each with its circuit, rate and pause. A job is given to one
that reaches the person; when that one has answered, the others are asked as well, so that all devices get the message.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from postcart.adapters.providers import Accepted
from postcart.adapters.vault import KeyUnavailable, Vault
from postcart.content.context import Recipient
from postcart.content.push import OutgoingPush, PushRenderer, Target
from postcart.domain.journey.contacts import read_push_text
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job
from postcart.senders.contacts import sealed_points

_REST_S: Final = 30.0
"""A service that has just failed is left alone for so long where it would only be asked besides another."""

E = TypeVar("E", bound=DeliveryError)


class PushService(Protocol):
    """Reaches one kind of subscription."""

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:
        """Hand over one message for one browser or app. Raises DeliveryError, with ``gone`` where it is over."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class _Answers(NamedTuple):
    """What became of a message at several targets."""

    taken: list[tuple[Target, Accepted]]
    errors: list[DeliveryError]

    @property
    def gone(self) -> tuple[str, ...]:
        return tuple(one for error in self.errors for one in error.gone)

    @property
    def trouble(self) -> DeliveryError | None:
        """Of the service as a whole: nothing was handed over."""
        found = (error for error in self.errors if isinstance(error, ChannelUnavailable | CredentialsRejected))
        return next(found, None)


class PushAdapter:
    """Makes push messages of jobs and sends them.

    Args:
        renderer: From job and recipient to a message.
        services: By kind of subscription.
        vault: Opens contact points.
    """

    channel: Literal["push"] = "push"

    def __init__(self, renderer: PushRenderer, services: Mapping[str, PushService], vault: Vault) -> None:
        self._renderer = renderer
        self._services = services
        self._vault = vault
        self.provider = next(iter(services))
        self._resting: dict[str, float] = {}

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> OutgoingPush:
        """The message, for all that the gate has left of the person's browsers and apps.

        Raises:
            KeyUnavailable: The key does not open the contact points.
            RenderError: The template fails on this job.
        """
        name = self._vault.open(wrapped_key, job.person_id, person.name) if person.name else None
        recipient = Recipient(address="", name=name, locale=person.locale, time_zone=person.time_zone)
        targets = tuple(self._targets(person, wrapped_key))
        return self._renderer.render(job, recipient, targets, date_ms=job.due_ms)

    def able(self, person: GatePerson, wrapped_key: bytes) -> frozenset[str] | None:
        """The services that reach the person."""
        try:
            kinds = {target.subscription.kind for target in self._targets(person, wrapped_key)}
        except KeyUnavailable:
            return None  # the claim will find out
        return frozenset(kinds & self._services.keys()) or frozenset({self.provider})

    async def send(self, message: OutgoingPush, provider: str) -> Accepted:
        """Hand over to all targets, those of ``provider`` first; one that takes it is enough.

        Raises:
            RecipientRejected: No service takes it; with those targets that are over (``gone``).
            DeliveryUncertain: One may have it, and none says that it has.
            DeliveryDeferred: One that was asked besides can't be reached now.
            DeliveryError: As ``provider`` raises it, if that one as a whole does not work.
        """
        mine = [target for target in message.targets if target.subscription.kind == provider]
        answers = await self._ask(message, mine)
        if not answers.taken and answers.trouble is not None:
            raise answers.trouble
        now_s = asyncio.get_running_loop().time()
        others = [one for one in message.targets if one.subscription.kind in self._services.keys() - {provider}]
        rested = [one for one in others if now_s >= self._resting.get(one.subscription.kind, 0.0)]
        besides = await self._ask(message, rested)
        both = _Answers(answers.taken + besides.taken, answers.errors + besides.errors)
        if both.taken:
            target, accepted = both.taken[0]
            said = f"{len(both.taken)} of {len(message.targets)} devices"
            detail = ", ".join([said, *_told(both.errors)])
            return accepted._replace(detail=detail, contact_id=target.contact_id, gone=both.gone)
        raise _none_took_it(both, left_alone=len(others) > len(rested))

    async def close(self) -> None:
        """Leave all services."""
        await asyncio.gather(*(service.close() for service in self._services.values()))

    def _targets(self, person: GatePerson, wrapped_key: bytes) -> Iterable[Target]:
        for contact_id, sealed in sealed_points(person, self.channel):
            text = self._vault.open(wrapped_key, person.person_id, sealed)
            yield Target(contact_id, read_push_text(text))

    async def _ask(self, message: OutgoingPush, targets: Iterable[Target]) -> _Answers:
        found = _Answers([], [])
        for target, answer in await asyncio.gather(*(self._one(message, target) for target in targets)):
            if isinstance(answer, Accepted):
                found.taken.append((target, answer))
            else:
                found.errors.append(answer)
        return found

    async def _one(self, message: OutgoingPush, target: Target) -> tuple[Target, Accepted | DeliveryError]:
        kind = target.subscription.kind
        try:
            return target, await self._services[kind].send(message, target)
        except (ChannelUnavailable, CredentialsRejected) as error:
            self._resting[kind] = asyncio.get_running_loop().time() + _REST_S
            return target, error
        except DeliveryError as error:
            return target, error


def _none_took_it(answers: _Answers, *, left_alone: bool) -> DeliveryError:
    """What it comes to; ``left_alone``: a service was not asked, as it has just failed."""
    unsure = [error for error in answers.errors if isinstance(error, DeliveryUncertain)]
    if unsure:
        return _with(unsure[0], answers.gone)
    later = [error for error in answers.errors if not isinstance(error, RecipientRejected)]
    if later or left_alone:
        told = later[0] if later else ChannelUnavailable("a service is left alone for a while")
        asked_ms = max((getattr(error, "retry_after_ms", None) or 0 for error in later), default=0)
        deferred = DeliveryDeferred(str(told), status=told.status, retry_after_ms=asked_ms or None)
        return _with(deferred, answers.gone)
    if not answers.errors:
        return RecipientRejected("none of its devices is reached by a service that is configured", status="unreachable")
    said = ", ".join(_told(answers.errors))
    return _with(RecipientRejected(said, status=answers.errors[0].status), answers.gone)


def _told(errors: Iterable[DeliveryError]) -> list[str]:
    """Each kind of failure once."""
    return list(dict.fromkeys(str(error) for error in errors))


def _with(error: E, gone: tuple[str, ...]) -> E:
    error.gone = gone
    return error
