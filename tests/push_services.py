"""A laptop, a phone and a pad, and push services that answer as they are told.

Owns: these, and the adapter that asks them. Must not: know what an answer means.
"""

import os
from pathlib import Path
from typing import Any

from postcart.adapters.providers import Accepted
from postcart.adapters.vault import Vault
from postcart.content import sample
from postcart.content.languages import Languages
from postcart.content.push import OutgoingPush, PushRenderer, Target
from postcart.content.templates import TemplateSet
from postcart.errors import DeliveryError
from postcart.events.shop import PushSubscription
from postcart.senders.push import PushAdapter

ROOT = Path(__file__).parents[1]
LANGUAGES = Languages(ROOT / "locales")
RENDERER = PushRenderer(TemplateSet(ROOT / "templates"), sample.SHOP, languages=LANGUAGES)
VAULT = Vault(bytes(32), os.urandom)
LAPTOP = PushSubscription(kind="web", token="https://push.example/laptop", p256dh="p", auth="a")  # noqa: S106 -- a URL
PHONE = PushSubscription(kind="fcm", token="phone:token")  # noqa: S106 -- made up
PAD = PushSubscription(kind="apns", token="00fc", since=1_700_000_000_000)  # noqa: S106 -- made up


def adapter(**services: Any) -> PushAdapter:
    """With these services, by name."""
    return PushAdapter(RENDERER, services, VAULT)


class Service:
    """Answers as it is told; the last answer stays."""

    def __init__(self, *answers: DeliveryError | None) -> None:
        self._answers = list(answers) or [None]
        self.asked: list[str] = []

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:  # noqa: ARG002 -- the port's signature
        """Answer."""
        self.asked.append(target.contact_id)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer
        return Accepted("201")

    async def close(self) -> None:
        """Nothing to close."""
