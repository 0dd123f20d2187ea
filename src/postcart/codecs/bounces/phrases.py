"""Words of mail servers, where no code says it: whose fault a failure is.

Owns: the table. Must not: see a whole mail; it is handed one failure's text.

Collected from the texts of real servers (tests/fixtures/bounces); more specific words come first: a policy is often
told as "recipient rejected", a full mailbox as "user unknown".
"""

import re
from typing import Final, NamedTuple

from postcart.codecs.bounces.told import Kind

_LOOKED_AT: Final = 4_000


class Words(NamedTuple):
    """What words mean: a kind, and the enhanced code that says the same."""

    kind: Kind
    status: str


_TABLE: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("soft", "4.2.0", r"gr[ae]y-?list"),
    ("policy", "5.7.1", r"\bspam\b|spamhaus|spamcop|junk mail|unsolicited|bulk mail|looks like spam"),
    (
        "policy",
        "5.7.1",
        r"black[ -]?list|block[ -]?list|dnsbl|\brbl\b|\bsorbs\b|senderbase|poor reputation|bad reputation",
    ),
    ("policy", "5.7.1", r"\bblocked\b|\bbanned\b|policy (?:reasons?|violation)|polic(?:y|ies)\b.{0,40}reject"),
    (
        "policy",
        "5.7.1",
        r"reject\w*.{0,40}\bpolic(?:y|ies)\b|denied by policy|security polic|administrative prohibition",
    ),
    ("policy", "5.7.1", r"\bspf\b|\bdkim\b|\bdmarc\b|sender policy framework|not authenticated|unauthenticated"),
    ("policy", "5.7.1", r"reverse dns|ptr record|rdns|fix reverse|no ptr|insecure mail relay"),
    ("policy", "5.7.1", r"relay(?:ing)?(?: access)? (?:denied|not permitted|not allowed|prohibited)|unable to relay"),
    ("policy", "5.7.1", r"access denied|not authori[sz]ed|permission denied|smtp server of your isp"),
    (
        "policy",
        "5.7.1",
        r"sender (?:address )?(?:was )?(?:rejected|denied|refused)|unroutable sender|sender verify failed",
    ),
    (
        "policy",
        "5.7.1",
        r"\bvirus\b|malware|content (?:rejected|filter|policy)|message (?:was )?rejected as|attachment type",
    ),
    ("policy", "5.7.1", r"frequency limited|rate limit|too many (?:messages|connections|mails)"),
    ("soft", "4.2.2", r"over ?quota|quota (?:is )?exceed|exceed\w* .{0,30}quota|disk quota|storage quota|quota full"),
    ("soft", "4.2.2", r"mail ?box (?:is |was )?(?:currently )?full|full mailbox|mailbox .{0,40}is full|in?box is full"),
    (
        "soft",
        "4.2.2",
        r"mailbox exceeds|exceeds (?:the )?(?:allowed|maximum) (?:mailbox )?size|insufficient (?:disk|storage)",
    ),
    ("soft", "4.2.2", r"not enough (?:disk|storage) space|no space left|out of disk|mailbox size limit"),
    (
        "soft",
        "4.3.4",
        r"(?:message|mail) (?:size|length|is) .{0,30}(?:exceed|too (?:big|large))|too (?:big|large)|size limit",
    ),
    (
        "hard",
        "5.1.1",
        r"(?:user|recipient|mailbox|account|address|local.?part)\w*(?: name)? (?:is |was )?(?:unknown|invalid)",
    ),
    (
        "hard",
        "5.1.1",
        r"unknown (?:user|recipient|mailbox|address|local|or illegal)|no such (?:user|recipient|mailbox|address)",
    ),
    (
        "hard",
        "5.1.1",
        r"(?:user|recipient|mailbox|account|address|person|group)\b.{0,40}(?:does ?n[o']t|do not|not) exist",
    ),
    ("hard", "5.1.1", r"(?:user|recipient|mailbox|account|address)\b.{0,30}not (?:be )?(?:found|known|listed|valid)"),
    (
        "hard",
        "5.1.1",
        r"recipient name is not recogni[sz]ed|not listed in|isn't a valid|is not a (?:valid|known|registered)",
    ),
    (
        "hard",
        "5.1.1",
        r"doesn't have an? .{1,80} account|no mailbox here|invalid (?:user|recipient|mailbox|address|final)",
    ),
    ("hard", "5.1.1", r"unrouteable address|unroutable address|undeliverable address|not our customer|no valid recip"),
    (
        "hard",
        "5.1.1",
        r"may not exist|bad destination|address (?:is )?(?:possibly )?incorrect|check if (?:the )?address",
    ),
    ("hard", "5.1.1", r"vfinder|kann nicht zugestellt|adresse .{0,20}unbekannt|n'existe pas|no existe|non esiste"),
    (
        "hard",
        "5.2.1",
        r"(?:account|mailbox|user)\b.{0,30}(?:disabled|inactive|locked|suspended|discontinued|closed|expired)",
    ),
    ("hard", "5.2.1", r"disabled (?:account|mailbox|recipient)|mailbox unavailable|recipient (?:address )?rejected"),
    (
        "soft",
        "4.4.1",
        r"tim(?:ed|e) ?out|connection (?:refused|reset|lost|dropped)|refused to talk|cannot connect|socket error",
    ),
    (
        "soft",
        "4.4.1",
        r"connect to .{1,100}:|network (?:is )?unreachable|no route to host|did not accept our requests to conn",
    ),
    ("soft", "4.4.7", r"retry time|giving up|queue too long|envelope expired|delivery attempts|could not deliver for"),
    (
        "soft",
        "4.4.7",
        r"has been delayed|delivery (?:is )?delayed|not yet been delivered|will (?:be )?retr|still trying",
    ),
    ("soft", "4.4.7", r"could ?n[o']t send (?:mail|message) for|failed \d{1,4} attempts|was aborted after|deferred"),
    (
        "soft",
        "4.4.3",
        r"host not found, try again|temporary (?:failure|error|name|problem)|temporar(?:y|ily)|try (?:again )?later",
    ),
    (
        "hard",
        "5.1.2",
        r"host (?:was )?(?:unknown|not found)|unknown (?:host|domain)|(?:domain|host)\b.{0,60}not (?:exist|found)",
    ),
    (
        "hard",
        "5.1.2",
        r"name service error|could not find a gateway|no (?:mx|a) record|null mx|no smtp service|nxdomain",
    ),
    (
        "hard",
        "5.4.6",
        r"mail loop|hop count|too many hops|loop(?:s back| alert| detected)|routing loop|mail for .{1,80}loops",
    ),
    (
        "soft",
        "4.3.0",
        r"system (?:error|trouble|resources)|service (?:currently )?(?:un|not )available|out of memory|mailer error",
    ),
)
_PHRASES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), Words(kind, status)) for kind, status, pattern in _TABLE
)


def judge_words(text: str) -> Words | None:
    """What the words of one failure mean; None where none is known. Looks at some thousand characters."""
    seen = " ".join(text[:_LOOKED_AT].split())
    return next((words for pattern, words in _PHRASES if pattern.search(seen)), None)
