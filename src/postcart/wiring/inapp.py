"""The composition root of the in-app channel: settings become renderer and feed.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from secrets import token_bytes

from postcart.adapters.providers.feed import FeedProvider
from postcart.adapters.record_log import RecordLog
from postcart.adapters.topics import partition_count
from postcart.adapters.vault import Vault
from postcart.content.inapp import InAppRenderer
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.senders.config import SenderLimits
from postcart.senders.inapp import InAppAdapter
from postcart.settings import Settings
from postcart.wiring.channels import Channel, ChannelParts
from postcart.wiring.email import shop_identity
from postcart.wiring.process import client_settings
from postcart.wiring.worker_name import worker_name

_NAME = "feed"
_IN_FLIGHT = 256
"""They are appended together."""


def inapp_parts(settings: Settings) -> ChannelParts:
    """What the sender of items is made of.

    Raises:
        ConfigurationError: Templates or catalogues are wrong, or the topic is missing.
    """
    topic = settings.topic("feed")
    records = RecordLog(
        client_settings(settings), f"inapp.{worker_name(settings)}", {topic: partition_count(settings, topic)}
    )
    renderer = InAppRenderer(
        TemplateSet(settings.templates_dir),
        shop_identity(settings),
        languages=Languages(settings.locales_dir, settings.shop.locale),
    )
    vault = Vault(settings.master_key_bytes, token_bytes)
    return ChannelParts(
        adapter=InAppAdapter(renderer, FeedProvider(records, topic), vault, name=_NAME),
        limits=SenderLimits(in_flight=_IN_FLIGHT),
    )


CHANNEL = Channel(
    name="inapp",
    build=inapp_parts,
    providers=lambda _: (_NAME,),
    needs=("master_key",),
    personal=False,
    keyed=True,
)
