"""Contact points and texts encrypted per person: erasing a person's key erases what was written with it.

Owns: AES-256-GCM with a data key per person, wrapped by the master key. Must not: keep or publish keys (they travel in
their own topic), or know what is sealed.

Formats: a wrapped key is version byte, 12-byte nonce, and the 32-byte key encrypted under the master key; a sealed text
is base64 of version byte, nonce, ciphertext, with the person's id authenticated: it can't be moved to another person.
Nonces are random: one master key may wrap about 2**32 keys (NIST SP 800-38D, 8.3).
"""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postcart.errors import ConfigurationError, PostcartError

_VERSION = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_CACHED_KEYS = 10_000


class KeyUnavailable(PostcartError):  # noqa: N818 -- names a state of the world
    """The key does not open this: none is known, it is another person's, or the master key is another one."""

    code = "key_unavailable"
    retryable = True


class Vault:
    """Seals and opens texts of persons. Thread-safe.

    Args:
        master_key: 32 bytes, from the settings.
        random: Gives so many unpredictable bytes (``os.urandom``).
        cached_keys: How many unwrapped keys are kept in memory, the least recently used going first.

    Raises:
        ConfigurationError: The master key has another length.
    """

    def __init__(self, master_key: bytes, random: Callable[[int], bytes], *, cached_keys: int = _CACHED_KEYS) -> None:
        if len(master_key) != _KEY_BYTES:
            raise ConfigurationError(f"POSTCART_MASTER_KEY: has {len(master_key)} bytes, it needs {_KEY_BYTES}")
        self._master = AESGCM(master_key)
        self._random = random
        self._ciphers: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._bound = cached_keys

    def new_key(self) -> bytes:
        """A new person's data key, wrapped: the value for the topic of keys."""
        nonce = self._random(_NONCE_BYTES)
        return _VERSION + nonce + self._master.encrypt(nonce, self._random(_KEY_BYTES), _VERSION)

    def seal(self, wrapped: bytes, person_id: str, plaintext: str) -> str:
        """``plaintext`` encrypted for that person. Each call gives another text.

        Raises:
            KeyUnavailable: The wrapped key can't be opened.
        """
        nonce = self._random(_NONCE_BYTES)
        sealed = self._cipher(wrapped).encrypt(nonce, plaintext.encode(), person_id.encode())
        return base64.b64encode(_VERSION + nonce + sealed).decode("ascii")

    def open(self, wrapped: bytes, person_id: str, sealed: str) -> str:
        """The plaintext of what ``seal`` gave.

        Raises:
            KeyUnavailable: Wrong key, person or master key, or the text was changed.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError):
            raise KeyUnavailable("the sealed text is not base64") from None
        version, nonce, text = raw[:1], raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
        return _opened(self._cipher(wrapped), version, nonce, text, person_id.encode()).decode()

    def _cipher(self, wrapped: bytes) -> AESGCM:
        # Taken out and put back: the last in is the most recently used. A thread that comes between unwraps once more.
        found = self._ciphers.pop(wrapped, None)
        if found is None:
            version, nonce, key = wrapped[:1], wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
            found = AESGCM(_opened(self._master, version, nonce, key, _VERSION))
        self._ciphers[wrapped] = found
        if len(self._ciphers) > self._bound:
            self._ciphers.popitem(last=False)
        return found


def _opened(cipher: AESGCM, version: bytes, nonce: bytes, text: bytes, associated: bytes) -> bytes:
    if version != _VERSION:
        raise KeyUnavailable("written by an unknown version of the vault")
    try:
        return cipher.decrypt(nonce, text, associated)
    except (InvalidTag, ValueError):
        raise KeyUnavailable("the key does not open this") from None
