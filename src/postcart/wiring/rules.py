"""Settings become the rules' own terms: detection rules, decision context, campaign, messages.

Owns: that translation. Must not: start anything.
"""

from pathlib import Path

from msgspec import structs

from postcart.adapters.business_days import business_days
from postcart.content.campaigns import load_campaigns
from postcart.content.message_file import load_messages
from postcart.domain.campaign import DEFAULT, Campaign
from postcart.domain.caps import Caps
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.domain.messages import SILENT, Messages
from postcart.domain.zones import resolver
from postcart.errors import ConfigurationError
from postcart.events.times import HOUR_MS
from postcart.settings import Settings
from postcart.wiring.channels import impersonal


def detect_rules(settings: Settings) -> Rules:
    """The numbers of detection; what settings don't name stays as docs/decisions.md has it."""
    bounded = [band for band in settings.value_bands if band.below is not None]
    top = next((band.name for band in settings.value_bands if band.below is None), "high")
    return Rules(
        currency=settings.currency,
        bands=tuple((band.below, band.name) for band in bounded if band.below is not None),
        top_band=top,
        seasons=tuple((season.first, season.last) for season in settings.peak),
    )


def decision_context(settings: Settings, campaign: Campaign) -> Context:
    """What JOURNEY's decisions depend on besides the person.

    Raises:
        ConfigurationError: The file of messages, or a channel's module, is wrong.
    """
    return Context(
        campaign=campaign,
        zones=resolver(settings.shop.country),
        currency=settings.currency,
        caps=caps(settings),
        messages=messages(settings),
        business_days=business_days,
        impersonal=impersonal(settings),
    )


def caps(settings: Settings) -> Caps:
    """How often marketing may go to a person."""
    between_ms = {gap.channel: gap.hours * HOUR_MS for gap in settings.caps.between_h}
    return Caps(between_ms=between_ms, day_most=settings.caps.day_most)


def messages(settings: Settings) -> Messages:
    """What is told of orders and parcels.

    In a replay no channel is left for another: providers' reports come by real time, and a replay's passes faster.

    Raises:
        ConfigurationError: The file is wrong.
    """
    told = SILENT
    if settings.messages_file is not None:
        told = load_messages(settings.messages_file, settings.templates_dir, channels=settings.channel_names)
    return structs.replace(told, fallback_ms=0, leave_ms=0) if settings.clock == "replay" else told


def active_campaign(settings: Settings) -> Campaign:
    """The one cart campaign of the campaigns folder; the built-in sequence where there is no such folder.

    Raises:
        ConfigurationError: A file is wrong, or there are several campaigns.
    """
    folder = Path(settings.campaigns_dir)
    if not folder.is_dir() and not settings.is_set("campaigns_dir"):
        return DEFAULT
    campaigns = load_campaigns(folder, settings.templates_dir, channels=settings.channel_names)
    if len(campaigns) > 1:
        raise ConfigurationError(
            f"{folder}: only one cart campaign can be active, found {', '.join(sorted(campaigns))}; "
            "move the others into a sub-folder"
        )
    return next(iter(campaigns.values()))
