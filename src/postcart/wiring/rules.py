"""Settings become the rules' own terms: detection rules, decision context, campaign.

Owns: that translation. Must not: start anything.
"""

from pathlib import Path

from postcart.content.campaigns import load_campaigns
from postcart.domain.campaign import DEFAULT, Campaign
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.domain.zones import resolver
from postcart.errors import ConfigurationError
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
    """What JOURNEY's decisions depend on besides the person."""
    return Context(
        campaign=campaign,
        zones=resolver(settings.shop.country),
        currency=settings.currency,
        impersonal=impersonal(settings),
    )


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
