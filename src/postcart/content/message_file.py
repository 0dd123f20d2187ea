"""The file that says what is told of orders and parcels: YAML becomes postcart.domain.messages.Messages.

Owns: its keys, what each may hold, and that templates have what their channels need. Must not: decide what is told
when (domain.journey).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import structs
from pydantic import BeforeValidator, Field, model_validator

from postcart.content.campaign_file import Name, Part, PositiveDuration, duration_ms
from postcart.content.campaigns import VERSION_DIGITS, template_names
from postcart.content.file_form import FileForm, nearest, shown
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.domain.messages import ORDERS, PARCELS, Message, Messages, Occasion, default_message
from postcart.events.jobs import CHANNELS, Channel

END_OF_DAY = "end of day"
_WITHOUT_TEMPLATE = frozenset({"webhook"})


def _until(value: object) -> int:
    if value == END_OF_DAY:
        return 0
    try:
        found = duration_ms(value)
    except ValueError:
        found = 0
    if found <= 0:
        raise ValueError(f"{value!r} is no duration; write for example 6h, 3d or {END_OF_DAY}")
    return found


def _switch(value: object) -> object:
    if value == "off":
        return None
    if value == "on":
        return {}
    if not isinstance(value, dict):
        raise ValueError("write on, off, or keys of its own: channels, also, template, until, after, priority")  # noqa: TRY004 -- pydantic reports ValueError, not TypeError
    return value


def _never(value: object) -> int:
    return 0 if value == "off" else duration_ms(value)


Until = Annotated[int, BeforeValidator(_until)]
NeverOr = Annotated[int, BeforeValidator(_never)]
ChannelList = Annotated[tuple[Channel, ...], Field(max_length=5)]


class MessageFile(Part):
    """What is told on one occasion; what it leaves out has a default."""

    template: str | None = None
    channels: ChannelList | None = None
    also: ChannelList = ()
    until: Until | None = None
    priority: Annotated[int, Field(ge=0, le=100)] = 50

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = (*(self.channels or ("email",)), *self.also)
        if len(named) != len(set(named)):
            raise ValueError("a channel is named twice in channels and also; each carries the message once")
        return self

    def build(self, occasion: Occasion) -> Message:
        """The domain's message."""
        usual = default_message(occasion)
        return Message(
            template=self.template or usual.template,
            channels=usual.channels if self.channels is None else self.channels,
            also=self.also,
            until_ms=usual.until_ms if self.until is None else self.until,
            after_ms=usual.after_ms,
            priority=self.priority,
        )


class WaitingFile(MessageFile):
    """What is told when something does not happen."""

    after: PositiveDuration | None = None

    def build(self, occasion: Occasion) -> Message:
        """The domain's message."""
        message = super().build(occasion)
        return message if self.after is None else structs.replace(message, after_ms=self.after)


Waiting = Annotated[WaitingFile | None, BeforeValidator(_switch)]
Entry = Annotated[MessageFile | None, BeforeValidator(_switch)]


class OrdersFile(Part):
    """By what happens, or does not, to an order."""

    placed: Entry = None
    unpaid: Waiting = None
    cancelled: Entry = None
    refunded: Entry = None
    unpacked: Waiting = None


class ParcelsFile(Part):
    """By what happens, or does not, to a parcel."""

    shipped: Entry = None
    out_for_delivery: Entry = None
    attempt_failed: Entry = None
    available_for_pickup: Entry = None
    delivered: Entry = None
    exception: Entry = None
    returned: Entry = None
    estimate_changed: Entry = None
    delayed: Entry = None
    delay_cleared: Entry = None


class MessagesFile(Part):
    """The whole file."""

    name: Name = "messages"
    fallback: NeverOr = 600_000
    leave: NeverOr = 1_800_000
    reporting: ChannelList = ("sms",)
    orders: OrdersFile = OrdersFile()
    parcels: ParcelsFile = ParcelsFile()

    def build(self, version: str) -> Messages:
        """The domain's messages."""
        entries = {**_entries(self.orders), **_entries(self.parcels)}
        return Messages(
            name=self.name,
            version=version,
            by_occasion={
                occasion: entry.build(occasion)
                for occasion in (*ORDERS, *PARCELS)
                if (entry := entries.get(occasion)) is not None
            },
            reporting=self.reporting,
            fallback_ms=self.fallback,
            leave_ms=self.leave,
        )


def load_messages(path: Path, templates_dir: Path | None = None, *, channels: Sequence[str] = CHANNELS) -> Messages:
    """The messages in the file at ``path``; ``version`` begins its SHA-256.

    Args:
        path: A YAML file.
        templates_dir: Where templates must be, for every channel that is used; ``None`` leaves that unchecked.
        channels: Those that there are. Of Postcart's others the file may speak: they are left out.

    Raises:
        ConfigurationError: All that is wrong with the file, by line.
    """
    checks = partial(_cross_checks, templates_dir=templates_dir, channels=channels)
    model, content = FileForm(MessagesFile, _known_keys, {}, checks).read(path)
    told = model.build(sha256(content).hexdigest()[:VERSION_DIGITS])
    used = {occasion: _used(message, channels) for occasion, message in told.by_occasion.items()}
    return structs.replace(told, by_occasion=used)


def _used(message: Message, channels: Sequence[str]) -> Message:
    there = tuple(channel for channel in message.channels if channel in channels)
    return structs.replace(message, channels=there, also=tuple(one for one in message.also if one in channels))


def _entries(part: Part) -> Mapping[str, MessageFile | None]:
    return {name: getattr(part, name) for name in type(part).model_fields}


def _cross_checks(document: Positioned, templates_dir: Path | None, channels: Sequence[str]) -> Iterator[Problem]:
    """Channels are there, and every template with what each of its channels needs."""
    for group, occasions in (("orders", ORDERS), ("parcels", PARCELS)):
        entries = document.value.get(group) if isinstance(document.value, dict) else None
        for occasion in occasions:
            entry = entries.get(occasion) if isinstance(entries, dict) else None
            if entry is not None and entry != "off":
                keys = entry if isinstance(entry, dict) else {}
                yield from _lacking(document, (group, occasion), keys, templates_dir, channels)


def _lacking(
    document: Positioned,
    path: tuple[str, Occasion],
    entry: Mapping[str, Any],
    templates_dir: Path | None,
    channels: Sequence[str],
) -> Iterator[Problem]:
    usual = default_message(path[1])
    template = entry.get("template", usual.template)
    used = 0
    for key, default in (("channels", usual.channels), ("also", usual.also)):
        named = entry.get(key, default)
        for index, channel in enumerate(named if isinstance(named, list | tuple) else ()):
            line = document.line((*path, key))
            if channel in channels:
                used += 1
            elif channel not in CHANNELS:
                place = shown((*path, key, index))
                yield Problem(
                    line,
                    f"{place} is {channel!r}; {nearest(str(channel), tuple(dict.fromkeys((*channels, *CHANNELS))))}",
                )
                used += 1
                continue
            if channel in _WITHOUT_TEMPLATE or channel not in channels or templates_dir is None:
                continue
            templates = template_names(templates_dir, channel)
            if isinstance(template, str) and template not in templates:
                advice = nearest(template, templates) if templates else f"{templates_dir} has none"
                line = document.line((*path, "template"))
                yield Problem(line, f"there is no template '{template}' for {channel}; {advice}")
    if not used:
        yield Problem(document.line(path), "none of its channels is there; POSTCART_CHANNELS says which are")


def _known_keys(path: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys that may stand at ``path``, for suggestions."""
    names = tuple(part for part in path if isinstance(part, str))
    models: dict[tuple[str, ...], type[Part]] = {
        (): MessagesFile,
        ("orders",): OrdersFile,
        ("parcels",): ParcelsFile,
    }
    if len(names) == 2:  # noqa: PLR2004 -- a group and an occasion of it
        waits = names in {("orders", "unpaid"), ("orders", "unpacked")}
        return tuple((WaitingFile if waits else MessageFile).model_fields)
    model = models.get(names)
    return tuple(model.model_fields) if model else ()
