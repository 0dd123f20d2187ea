"""The file that says what is told of orders and parcels: YAML becomes postcart.domain.messages.Messages.

Owns: its keys, what each may hold, and that templates have what their channels need. Must not: decide what is told
when (domain.journey).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from msgspec import structs
from pydantic import BeforeValidator, Field, model_validator

from postcart.content.campaign_file import Name, Part, PositiveDuration, duration_ms
from postcart.content.campaigns import VERSION_DIGITS
from postcart.content.file_form import FileForm, nearest
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.domain.messages import ORDERS, PARCELS, Message, Messages, Occasion, default_message
from postcart.errors import ConfigurationError
from postcart.events.jobs import Channel

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


def load_messages(path: Path, templates_dir: Path | None = None) -> Messages:
    """The messages in the file at ``path``; ``version`` begins its SHA-256.

    Args:
        path: A YAML file.
        templates_dir: Where templates must be, for every channel that is named; ``None`` leaves that unchecked.

    Raises:
        ConfigurationError: All that is wrong with the file, by line.
    """
    checks = partial(_cross_checks, templates_dir=templates_dir)
    form = FileForm(MessagesFile, _known_keys, {"channels": get_args(Channel), "also": get_args(Channel)}, checks)
    model, content = form.read(path)
    return model.build(sha256(content).hexdigest()[:VERSION_DIGITS])


def _entries(part: Part) -> Mapping[str, MessageFile | None]:
    return {name: getattr(part, name) for name in type(part).model_fields}


def _cross_checks(document: Positioned, templates_dir: Path | None) -> Iterator[Problem]:
    """Every template is there, with what each of its channels needs; by default it is named after the occasion."""
    if templates_dir is None or not isinstance(document.value, dict):
        return
    if not templates_dir.is_dir():
        raise ConfigurationError(f"{templates_dir}: there is no such folder of templates; set POSTCART_TEMPLATES_DIR")
    folders = tuple(sorted(path.parent.name for path in templates_dir.glob("*/subject.txt.j2")))
    for group, occasions in (("orders", ORDERS), ("parcels", PARCELS)):
        entries = document.value.get(group)
        for occasion in occasions:
            entry = entries.get(occasion) if isinstance(entries, dict) else None
            if entry is None or entry == "off":
                continue
            yield from _lacking(document, (group, occasion), entry, default_message(occasion), templates_dir, folders)


def _lacking(  # noqa: PLR0917 -- all of it says where to look
    document: Positioned,
    path: tuple[str, str],
    entry: Any,
    usual: Message,
    templates_dir: Path,
    folders: tuple[str, ...],
) -> Iterator[Problem]:
    keys = entry if isinstance(entry, dict) else {}
    template = keys.get("template", usual.template)
    if not isinstance(template, str):
        return
    if template not in folders:
        yield Problem(
            document.line((*path, "template")), f"there is no template '{template}'; {nearest(template, folders)}"
        )
        return
    for key, channels in (("channels", keys.get("channels", usual.channels)), ("also", keys.get("also", ()))):
        for channel in channels if isinstance(channels, list | tuple) else ():
            known = channel in get_args(Channel) and channel not in _WITHOUT_TEMPLATE
            if known and not any((templates_dir / template).glob(f"{channel}.*")):
                line = document.line((*path, key))
                yield Problem(line, f"template '{template}' has no file {channel}.*; add it, or leave {channel} out")


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
