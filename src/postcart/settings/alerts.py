"""Settings of alerts to employees.

Owns: the model. Must not: know what it leads to (wiring).
"""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from postcart.events.alerts import AlertKind
from postcart.settings.messaging import check_api_address
from postcart.settings.values import Group, MailAddress

ALL: tuple[AlertKind, ...] = ("stock", "fulfilment_delay", "delivery_trouble", "system")


def check_secret_address(value: SecretStr) -> SecretStr:
    """As ``check_api_address``; the message does not show it."""
    try:
        check_api_address(value.get_secret_value())
    except ValueError:
        raise ValueError("must begin with https://; http:// only on this machine") from None
    return value


SecretAddress = Annotated[SecretStr, AfterValidator(check_secret_address)]


class Alerts(Group):
    """Where employees are told of trouble (`postcart worker alerts`)."""

    slack_url: SecretAddress | None = Field(
        None, description="incoming webhook of Slack, or of what is compatible; whoever knows it can write there"
    )
    slack_kinds: tuple[AlertKind, ...] = Field(ALL, description="what goes there: JSON, or a list in a file")
    email: tuple[MailAddress, ...] = Field((), description="addresses: JSON, or a list in a file")
    email_kinds: tuple[AlertKind, ...] = Field(ALL, description="what goes to them: JSON, or a list in a file")
    group_s: float = Field(
        30.0, ge=0, le=3600, description="troubles of one sort within so many seconds are told in one message"
    )
    stock_below: int | None = Field(
        None, ge=0, le=1_000_000, description="tell of variants with so few pieces or fewer; none: of none"
    )
