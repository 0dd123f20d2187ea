"""The whole error tree of Postcart, readable before any other code.

Owns: every exception class that crosses a module boundary. Must not: import anything of Postcart.

Each class says two things about itself: ``code``, a bounded name that is also its metric label, and
``retryable``, whether trying the very same thing again later can succeed.

PostcartError
 ├─ ConfigurationError     a setting, campaign, template or topic is not as it must be; says what to change
 ├─ UnreadableRecord       a record that can't be decoded or is not allowed; becomes a dead letter
 ├─ TopologyError          topics are missing or their partition counts differ
 ├─ BrokerUnavailable      Kafka can't be reached
 ├─ RegistryUnavailable    the schema registry can't be asked
 ├─ ReadModelUnavailable   the read model's database can't be reached, or holds nothing yet
 ├─ Fenced                 this process no longer owns what it was about to write; the process must end
 ├─ StateError             stored state can't be read by this release; the process must end
 ├─ RenderError            a template failed on a job
 ├─ ProcessEnded           a process of the demo ended by itself
 └─ DeliveryError          a provider did not take a message
     ├─ RecipientRejected  for good, because of the recipient or the message
     ├─ DeliveryDeferred   not now; trouble of this job
     ├─ ChannelUnavailable not now; trouble of the whole channel (outage, connection)
     │   └─ ProviderBusy   not now, by its own word; it is to be left alone for a while
     ├─ CredentialsRejected the provider refuses our login; the channel pauses
     └─ DeliveryUncertain  it can't be known whether the provider accepted
"""

from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_BUG: Final = 70
"""EX_SOFTWARE."""
EXIT_AGAIN: Final = 75
"""EX_TEMPFAIL: start the process again."""
EXIT_CONFIGURATION: Final = 78
"""EX_CONFIG: don't, before something is changed."""


class PostcartError(Exception):
    """Root of all errors that Postcart raises on purpose."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class ConfigurationError(PostcartError):
    """One or more problems of configuration, reported together.

    Args:
        problems: One line each, with ``file:line`` or the variable's name and what to do.
    """

    code = "configuration"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UnreadableRecord(PostcartError):  # noqa: N818 -- the field says dead letter for what this becomes
    """A record that can't be used. ``reason`` is from the closed set below."""

    code = "unreadable"
    REASONS: ClassVar[frozenset[str]] = frozenset(
        {
            "framing",
            "schema_unknown",
            "decode",
            "invalid",
            "oversized",
            "key_missing",
            "key_sentinel",
            "key_mismatch",
            "crashed",
            "status_unknown",
            "answer",
        }
    )

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TopologyError(ConfigurationError):
    """Topics are missing or don't fit together; the message names the command that mends it."""

    code = "topology"


class BrokerUnavailable(PostcartError):  # noqa: N818 -- names a state of the world, as KafkaError names do
    """Kafka can't be reached at the configured address."""

    code = "broker_unavailable"
    retryable = True


class RegistryUnavailable(PostcartError):  # noqa: N818 -- names a state of the world
    """The schema registry can't be asked now: a record is neither readable nor unreadable."""

    code = "registry_unavailable"
    retryable = True


class ReadModelUnavailable(PostcartError):  # noqa: N818 -- names a state of the world
    """The read model's database can't be reached, or nothing was ever projected into it."""

    code = "read_model_unavailable"
    retryable = True


class Fenced(PostcartError):  # noqa: N818 -- Kafka's own term
    """Another member owns the partitions or the transactional id; this process must end and start again."""

    code = "fenced"


class StateError(PostcartError):
    """A stored row was written by an unknown version, or contradicts itself. Never repaired in place."""

    code = "state"


class RenderError(PostcartError):
    """A template failed on this job: unknown variable, forbidden access, malformed markup."""

    code = "render"


class ProcessEnded(PostcartError):  # noqa: N818 -- names what happened
    """A process that the demo had started ended by itself; the message has its log's tail."""

    code = "process_ended"


class DeliveryError(PostcartError):
    """A provider did not take a message.

    Args:
        message: What happened, without addresses.
        status: The provider's code, for example ``"550 5.1.1"``.

    Attributes:
        gone: Opaque ids of the contact points, of several, that the provider knows no more.
    """

    code = "delivery"
    gone: tuple[str, ...] = ()

    def __init__(self, message: str, *, status: str | None = None) -> None:
        super().__init__(message)
        self.status = status


class RecipientRejected(DeliveryError):  # noqa: N818 -- names the provider's verdict
    """The provider will never take this message for this recipient."""

    code = "rejected"


class DeliveryDeferred(DeliveryError):  # noqa: N818 -- names the provider's verdict
    """The provider asks to try this message later; ``retry_after_ms`` at the earliest, where it says when."""

    code = "deferred"
    retryable = True

    def __init__(self, message: str, *, status: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_ms = retry_after_ms


class ChannelUnavailable(DeliveryError):  # noqa: N818 -- names a state of the world
    """The provider can't be reached or is out of order; no attempt was used up."""

    code = "unavailable"
    retryable = True


class ProviderBusy(ChannelUnavailable):
    """The provider wants no more for a while (too many requests); it says for how long, or ``None``."""

    code = "busy"

    def __init__(self, message: str, *, status: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_ms = retry_after_ms


class CredentialsRejected(DeliveryError):  # noqa: N818 -- names the provider's verdict
    """The provider refuses the login; the channel pauses until it is accepted again."""

    code = "credentials"
    retryable = True


class DeliveryUncertain(DeliveryError):  # noqa: N818 -- names what is known
    """The message went out whole, but no answer came: it may or may not have been accepted."""

    code = "uncertain"


def exit_code(failure: BaseException | None) -> int:
    """What a supervisor is to make of a worker's end: 0 as asked, 75 start again, 78 change something, 70 a bug."""
    if failure is None:
        return EXIT_OK
    if isinstance(failure, Fenced | BrokerUnavailable | ReadModelUnavailable):
        return EXIT_AGAIN
    return EXIT_CONFIGURATION if isinstance(failure, ConfigurationError) else EXIT_BUG
