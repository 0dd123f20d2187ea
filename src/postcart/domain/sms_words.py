"""What people answer to text messages: STOP, START, HELP, in several languages and in their own words.

Owns: the words. Must not: decide what follows from one.

The words of the delivery rules ("SMS"; CTIA Messaging Principles, 5.1.3; FCC 24-24, which adds "revoke", "end", "opt
out" and any reasonable wording), and what they are in other languages. A doubtful text stops: one message too few.
"""

import re
import unicodedata
from typing import Final, Literal, NamedTuple

Word = Literal["stop", "start", "help"]


class Said(NamedTuple):
    """A word, and the language that it is of."""

    word: Word
    language: str


_WORDS: Final[dict[Word, dict[str, str]]] = {
    "stop": {
        "en": "stop, stopall, stop all, quit, end, revoke, opt out, optout, cancel, unsubscribe, stop sms",
        "fr": "arret, arreter, arretez, desabonner, desinscrire, stop sms svp",
        "de": "stopp, abmelden, abbestellen, kuendigen, kundigen, aufhoren, aufhoeren",
        "es": "alto, parar, baja, cancelar, detener",
        "pt": "pare, sair, descadastrar, remover",
        "it": "basta, annulla, disiscrivi, cancellami, ferma",
        "nl": "afmelden, uitschrijven, stoppen",
        "pl": "rezygnuje, wypisz, koniec",
        "sv": "avsluta, sluta, stoppa",
        "tr": "dur, iptal, ret",
        "ar": "إيقاف, ايقاف, توقف, إلغاء, الغاء, قف",
    },
    "start": {
        "en": "start, unstop, yes, start sms",
        "fr": "oui, demarrer, reprendre",
        "de": "ja, starten",
        "es": "si, iniciar, comenzar",
        "pt": "sim, comecar",
        "it": "inizia, riprendi",
        "nl": "beginnen",
        "ar": "نعم, ابدأ, ابدا",
    },
    "help": {
        "en": "help, info",
        "fr": "aide",
        "de": "hilfe",
        "es": "ayuda",
        "pt": "ajuda",
        "it": "aiuto",
        "nl": "hulp",
        "ar": "مساعدة",
    },
}

_STRONG: Final = frozenset({"stop", "stopall", "unsubscribe", "optout", "stopp", "arret", "abmelden", "afmelden"})
"""With a word or two more these still mean what they say: "stop please", "please stop"."""
_FEW: Final = 3

_PHRASES: Final = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), language)
    for language, pattern in (
        ("en", r"(?:stop|quit) (?:texting|messaging|sending|contacting|spamming)"),
        ("en", r"(?:do not|dont|don t|never) (?:text|message|contact|send|sms)"),
        ("en", r"no more (?:texts?|messages?|sms|spam)"),
        ("en", r"(?:remove|delete|take) (?:me|my number)"),
        ("en", r"leave me alone|opt me out|opt out|unsubscribe me|i want out"),
        ("de", r"keine (?:weiteren |mehr )?(?:sms|nachrichten)(?: mehr)?"),
        ("de", r"(?:nicht mehr|nie wieder) (?:schreiben|senden|schicken)"),
        ("fr", r"(?:plus|aucun) (?:de )?(?:sms|messages?)"),
        ("es", r"no (?:me )?(?:envien|manden) (?:mas)?|no mas (?:sms|mensajes)"),
        ("it", r"non (?:inviatemi|mandatemi|scrivetemi) piu"),
        ("nl", r"geen (?:sms|berichten) meer"),
    )
)
_NOT_A_STOP: Final = re.compile(r"\b(?:do not|dont|don t|never) (?:ever )?stop\b|\bnon[ -]?stop\b")
_TURKISH: Final = str.maketrans({"\u0131": "i"})
"""The dotless i is a letter of its own, and has no mark to take away."""


def said(text: str) -> Said | None:
    """What a text says; None for anything else. Case, accents, punctuation and emoji make no difference."""
    plain = _plain(text)
    if not plain:
        return None
    exact = _EXACT.get(plain)
    if exact is not None:
        return exact
    if _NOT_A_STOP.search(plain):
        return None
    for pattern, language in _PHRASES:
        if pattern.search(plain):
            return Said("stop", language)
    words = plain.split()
    if len(words) <= _FEW:
        strong = next((word for word in words if word in _STRONG), None)
        if strong is not None:
            return _EXACT[strong]
    return None


def _plain(text: str) -> str:
    """Small letters without marks, words parted by single spaces."""
    folded = unicodedata.normalize("NFKD", text[:500].casefold().translate(_TURKISH))
    kept = "".join(one for one in folded if not unicodedata.combining(one))
    return " ".join(re.findall(r"[^\W_]+", kept))


_EXACT: Final = {
    _plain(word): Said(kind, language)
    for kind in ("help", "start", "stop")  # of two meanings the last stands: stop
    for language, words in reversed(_WORDS[kind].items())  # and of two languages the first
    for word in words.split(",")
}
