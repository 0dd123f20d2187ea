"""The demo's surroundings: settings of its own, broker, topics, folder.

Owns: what the demo is set up with. Must not: start workers.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postcart.adapters.local_kafka import default_cache, open_broker
from postcart.adapters.mock_broker import MockBroker
from postcart.adapters.topics import commit_beginnings, create, topic_counts
from postcart.errors import ConfigurationError
from postcart.settings import PREFIX, Settings, load_settings

_KEPT: Final = (
    "BROKER",
    "PARTITIONS",
    "CAMPAIGNS_DIR",
    "TEMPLATES_DIR",
    "LOCALES_DIR",
    "MESSAGES_FILE",
    "CURRENCY",
    "SHOP__",
)
"""Of the person's own settings: what the mails look like. Nothing that leads to a real broker or mail server."""

_CHECKOUT: Final = Path(__file__).parents[4]
"""Where campaigns and templates are if this is a checkout."""

_MARK: Final = ".postcart-demo"
_DATABASE: Final = ("read-model.db", "read-model.db-wal", "read-model.db-shm")
_OWN: Final = ("index.html", "mails", "inbox", "logs", "dkim.pem", *_DATABASE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the demo writes."""

    folder: Path

    @property
    def page(self) -> Path:
        """The result."""
        return self.folder / "index.html"

    @property
    def gallery(self) -> Path:
        """Pages of the mails."""
        return self.folder / "mails"

    @property
    def inbox(self) -> Path:
        """What the mail server has accepted."""
        return self.folder / "inbox"

    @property
    def logs(self) -> Path:
        """Output of each process."""
        return self.folder / "logs"

    @property
    def read_model(self) -> Path:
        """What `postcart why` reads."""
        return self.folder / "read-model.db"

    @property
    def dkim_key(self) -> Path:
        """The key that mails of this run are signed with."""
        return self.folder / "dkim.pem"

    def prepare(self) -> None:
        """An empty folder; an earlier demo's is emptied.

        Raises:
            ConfigurationError: There is something else in it, or it can't be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()) and not (self.folder / _MARK).exists():
                raise ConfigurationError(
                    f"{self.folder}: there is something in it that is not of an earlier demo; "
                    "name another folder with --folder"
                )
            (self.folder / _MARK).touch()
            for name in _OWN:
                path = self.folder / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{self.folder}: can't be written ({error.strerror}); name another folder with --folder"
            ) from error


def demo_variables(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The demo's settings, as variables that its workers see too."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).startswith(_KEPT)
    }
    run = token_hex(3)  # a cluster of somebody's keeps the topics of earlier demos
    own = {
        "TOPIC_PREFIX": f"demo-{run}.postcart.",
        "SHOP_PREFIX": f"demo-{run}.shop.",
        "CHANNELS": "email,sms,inapp",
        "CLOCK": "replay",
        "WATERMARK_INTERVAL_MS": "100",
        "SMTP__HOST": "127.0.0.1",
        "SMTP__TLS": "none",
        "SMTP__PROBE_S": "1",
        "DKIM__DOMAIN": "shop.example",
        "DKIM__SELECTOR": "demo",
        "DKIM__PRIVATE_KEY_FILE": str(places.dkim_key),
        "LOG__FORMAT": "console",
        "READ_MODEL_URL": f"sqlite:///{places.read_model}",
        "GATEWAY__PORT": "0",
        "FEED__PAGE": "true",
        "FEED__SECRET": token_hex(32),
    }
    return {
        "POSTCART_SHOP__NAME": "Bloom & Balm",
        "POSTCART_SHOP__POSTAL_ADDRESS": "12 Garden Row | Example Town",
        **{
            f"POSTCART_{name.upper()}_DIR": str(_CHECKOUT / name)
            for name in ("campaigns", "templates", "locales")
            if not Path(name).is_dir() and (_CHECKOUT / name).is_dir()
        },
        "POSTCART_MESSAGES_FILE": str(_messages_file()),
        **kept,
        **{f"{PREFIX}{name}": value for name, value in own.items()},
    }


def _messages_file() -> Path:
    """Here, or that of the checkout."""
    here = Path("messages.yaml")
    return here.absolute() if here.is_file() else _CHECKOUT / here


def write_dkim_key(places: Places) -> None:
    """A new key: good for nothing but to show a signature."""
    key = generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    places.dkim_key.touch(mode=0o600)
    places.dkim_key.write_bytes(pem)


@contextmanager
def opened_broker(variables: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[Settings]:
    """A broker with the demo's topics; yields the settings that lead there.

    Raises:
        BrokerUnavailable: No real broker can be had.
        ConfigurationError: A setting is wrong.
    """
    settings = load_settings(variables)
    if settings.broker == "mock":
        with MockBroker(topic_counts(settings)) as mock:
            settings = load_settings({**variables, "POSTCART_BOOTSTRAP": mock.bootstrap})
            commit_beginnings(settings)
            yield settings
    else:
        with open_broker(environ.get("KAFKA_BOOTSTRAP"), cache=default_cache(environ)) as broker:
            settings = load_settings({**variables, "POSTCART_BOOTSTRAP": broker.bootstrap})
            create(settings)
            yield settings
