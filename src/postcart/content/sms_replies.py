"""What is answered to STOP, START and HELP.

Owns: rendering these answers, from ``templates/partials/sms.reply.*.txt.j2``. Must not: decide whether to answer.
"""

from typing import Literal

from postcart.content.context import ShopIdentity, shop_variables
from postcart.content.languages import Languages
from postcart.content.sms_segments import plain
from postcart.content.templates import TemplateSet

Reply = Literal["stop", "start", "confirmed", "help"]


class SmsReplies:
    """Renders answers. Thread-safe.

    Args:
        templates: The template set; ``languages``: the catalogues.
        shop: Who answers.
    """

    def __init__(self, templates: TemplateSet, shop: ShopIdentity, *, languages: Languages) -> None:
        self._templates = templates
        self._shop = shop
        self._languages = languages

    def text(self, reply: Reply, language: str | None) -> str:
        """The answer, in the language of a BCP 47 tag. Raises RenderError."""
        path = f"partials/sms.reply.{reply}.txt.j2"
        context = {"shop": shop_variables(self._shop)}
        return plain(" ".join(self._templates.shared(path, self._languages.resolve(language), context).split()))
