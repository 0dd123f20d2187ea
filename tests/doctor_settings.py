"""Settings for the doctor to look at, of a trial or of a real shop, and its findings by check.

Owns: these. Must not: look at anything.
"""

from collections.abc import Iterator
from pathlib import Path

from postcart.settings import Settings, load_settings
from postcart.wiring.doctor import Finding

ROOT = Path(__file__).parents[1]
REAL = {
    "POSTCART_IDENTITY_KEY": "an-identity-key-of-our-own",
    "POSTCART_MASTER_KEY": "YS10cmlhbC1vbi1vbmUtbWFjaGluZS0zMi1ieXRlcy4=",
    "POSTCART_UNSUBSCRIBE__TOKEN_SECRET": "a-secret-of-our-own-to-sign-with",
    "POSTCART_UNSUBSCRIBE__BASE_URL": "https://real.example/u",
    "POSTCART_SHOP__FROM_ADDRESS": "hello@real.example",
    "POSTCART_SHOP__POSTAL_ADDRESS": "5 Real Street|Real Town",
}


def settings(**values: str) -> Settings:
    """These, with the shipped folders."""
    folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("campaigns", "templates", "locales")}
    return load_settings({**folders, **values})


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    """The last one of each."""
    return {one.check: one for one in findings}
