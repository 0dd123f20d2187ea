"""How clients reach Kafka, beside its addresses.

Owns: this model. Must not: make a client.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from postcart.settings.values import Group


class Kafka(Group):
    """How clients prove who they are to Kafka. The addresses are ``bootstrap``."""

    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="use sasl_ssl where others can reach the network"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="with sasl")
    sasl_username: str | None = Field(None, description="with sasl")
    sasl_password: SecretStr | None = Field(None, description="with sasl")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the brokers' certificates")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol.startswith("sasl") and not (self.sasl_username and self.sasl_password):
            raise ValueError("sasl needs sasl_username and sasl_password")
        return self

    def properties(self) -> dict[str, str | int | float | bool]:
        """Properties for every librdkafka client. The host name in certificates is checked, always."""
        found: dict[str, str | int | float | bool] = {"security.protocol": self.security_protocol}
        if self.security_protocol.endswith("ssl"):
            found["ssl.endpoint.identification.algorithm"] = "https"
            if self.ca_file:
                found["ssl.ca.location"] = str(self.ca_file)
        if self.security_protocol.startswith("sasl") and self.sasl_username and self.sasl_password:
            found["sasl.mechanism"] = self.sasl_mechanism
            found["sasl.username"] = self.sasl_username
            found["sasl.password"] = self.sasl_password.get_secret_value()
        return found if self.security_protocol != "plaintext" else {}
