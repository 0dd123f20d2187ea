"""What the commands about dead letters have in common: filters, who asks, where the letters are.

Owns: these options and their meaning. Must not: read or write.
"""

import getpass
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from postcart.cli.setup import current_settings, kafka_client

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import LetterFilter
    from postcart.settings import Settings

ReasonOption: TypeAlias = Annotated[list[str] | None, typer.Option("--reason", help="Only these reasons.")]
TopicOption: TypeAlias = Annotated[list[str] | None, typer.Option("--topic", help="Only from these topics.")]
StageOption: TypeAlias = Annotated[list[str] | None, typer.Option("--stage", help="Only set aside by these stages.")]
IdOption: TypeAlias = Annotated[list[str] | None, typer.Option("--id", help="Only these letters.")]
KeyOption: TypeAlias = Annotated[
    str | None, typer.Option("--key", help="Only under this key; 0x and hexadecimal digits for one that is no text.")
]
SinceOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only set aside since: 2026-11-28T14:00Z, or 2h, 3d before now."),
]
UntilOption: TypeAlias = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only set aside before; as --since.")
]
DetailOption: TypeAlias = Annotated[
    str | None, typer.Option("--detail", metavar="TEXT", help="Only with this text in the detail.")
]
ByOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who does this, for the record; the system's user by default."),
]
UnmaskOption: TypeAlias = Annotated[
    bool, typer.Option("--unmask", help="Show contact data too; that you did is put on record.")
]


@dataclass(frozen=True, slots=True)
class DeadPlace:
    """How Kafka is reached, and the topic of dead letters."""

    settings: "Settings"
    client: dict[str, Any]
    topic: str


def dead_place() -> DeadPlace:
    """As the settings say."""
    settings = current_settings()
    return DeadPlace(settings, {**kafka_client(settings), "log_level": 0}, settings.topic("dead"))


def letter_filter(
    *,
    reason: list[str] | None = None,
    topic: list[str] | None = None,
    stage: list[str] | None = None,
    letter_id: list[str] | None = None,
    key: str | None = None,
    since: str | None = None,
    until: str | None = None,
    detail: str | None = None,
) -> "LetterFilter":
    """The filter of what was typed.

    Raises:
        typer.BadParameter: A reason or a time is none.
    """
    from postcart.adapters.dead_letters import LetterFilter  # noqa: PLC0415
    from postcart.codecs.dead_letter_reasons import REASONS  # noqa: PLC0415
    from postcart.errors import UnreadableRecord  # noqa: PLC0415

    known = UnreadableRecord.REASONS | REASONS.keys()
    unknown = sorted(set(reason or ()) - known)
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(sorted(known))}", param_hint="--reason")
    return LetterFilter(
        reasons=frozenset(reason or ()),
        topics=frozenset(topic or ()),
        stages=frozenset(stage or ()),
        ids=frozenset(letter_id or ()),
        key=None if key is None else _bytes(key),
        since_ms=None if since is None else _moment_ms(since, "--since"),
        until_ms=None if until is None else _moment_ms(until, "--until"),
        detail=detail or "",
    )


def who(by: str | None) -> str:
    """Who asks, for the record."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def now_ms() -> int:
    """Real wall time."""
    return round(time.time() * 1_000)


def moment(at_ms: int | None) -> str | None:
    """A time for people, to the second."""
    from postcart.events.times import iso  # noqa: PLC0415

    return None if at_ms is None else iso(at_ms // 1_000 * 1_000)


def _bytes(text: str) -> bytes:
    if text.startswith("0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise typer.BadParameter(
                f"{text}: behind 0x come pairs of hexadecimal digits", param_hint="--key"
            ) from None
    return text.encode()


def _moment_ms(text: str, option: str) -> int:
    from postcart.content.campaign_file import duration_ms  # noqa: PLC0415
    from postcart.events.times import parse_iso  # noqa: PLC0415

    try:
        return now_ms() - duration_ms(text)
    except ValueError:
        pass
    try:
        return parse_iso(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text}: write a time like 2026-11-28T14:00Z, or how long ago like 90m, 2h, 3d", param_hint=option
        ) from None
