"""Settings: one frozen model, read once from environment and file, all problems reported together.

Owns: which settings there are. Must not: be imported below its layer; the domain takes its numbers as arguments.
"""

from postcart.settings.kafka import Kafka
from postcart.settings.load import Known, known_settings, load_settings, require
from postcart.settings.model import Dkim, Log, Settings, Shop, Smtp, Unsubscribe
from postcart.settings.origin import Shown, plain_text, show_settings
from postcart.settings.sources import FILE_VARIABLE, PREFIX, variable
from postcart.settings.values import Band, Season

__all__ = [
    "FILE_VARIABLE",
    "PREFIX",
    "Band",
    "Dkim",
    "Kafka",
    "Known",
    "Log",
    "Season",
    "Settings",
    "Shop",
    "Shown",
    "Smtp",
    "Unsubscribe",
    "known_settings",
    "load_settings",
    "plain_text",
    "require",
    "show_settings",
    "variable",
]
