"""Notices for people: what mail servers wrote before there were reports, and still write.

Owns: whether a mail is such a notice at all, where it ends and the returned message begins, whom it names and what it
says of each. Must not: read reports (reports does).
"""

import re
from typing import Final

from postcart.codecs.bounces.parts import Mail, readable
from postcart.codecs.bounces.phrases import judge_words
from postcart.codecs.bounces.reports import address_of, best_status
from postcart.codecs.bounces.told import DETAIL_MOST, Kind, Told

_NOTICE_MOST: Final = 60_000
_RECIPIENTS_MOST: Final = 50

_FROM = re.compile(
    r"mailer.?daemon|post.?master|mail delivery|mail.?deliver|daemon@|mdaemon|interscan|delivery", re.IGNORECASE
)
_SUBJECT = re.compile(
    r"undeliver|returned (?:mail|e-?mail|message)|fail|non ?remis|unzustellbar|delivery (?:status|notif|problem|error)|"
    r"not be delivered|could ?n.t (?:be )?(?:send|deliver)|error sending|bounce|warning|mail system error|rejected",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"could not be delivered|unable to deliver|error delivering|delivery to the following|delivery failed|"
    r"SMTP error from remote|undeliverable|the group you tried to contact|did not reach the following",
    re.IGNORECASE,
)
_AUTOMATIC_REPLY = re.compile(
    r"auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office|away|vacation", re.IGNORECASE
)
_RETURNED = re.compile(
    r"^[ \t>|*-]{0,90}(?:original message (?:follows|headers?)|(?:begin )?original message[ \t]*-|"
    r"message headers follow|below this line is a copy|below is a copy of|"
    r"(?:this|enclosed|included|attached) is a copy|the header of the original|original mail as follows|"
    r"message text follows|"
    r"unsent message follows|returned message[ \t]*-|message header follows|the original message is attached|"
    r"your (?:original )?message (?:text|follows|headers?)|copy of your message|undelivered message[ \t]*-|"
    r"received:[ \t]*from[ \t]|return-path:)",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,100}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?"
_NAMED = re.compile(
    rf"^[ \t>*-]{{0,40}}(?:RCPT TO:|(?:final-)?recipients?[ \t]{{0,9}}:|for[ \t]|to:)?[ \t]{{0,9}}"
    rf"[<\"'(]?(?P<a>{_ADDRESS})[>\"')]?"
    rf"(?=[ \t]{{0,40}}(?:$|[:;(\[]|\.\.\.|on \w|invalid|[A-Z]))"
    rf"|(?:RCPT TO:|delivering your mail to|deliver(?:ed|y)?[ \t](?:message[ \t])?to:?|errors?:|exceeds allowed size:|"
    rf"attempts:|undeliverable to|message to)[ \t\n]{{0,40}}<?(?P<b>{_ADDRESS})",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(r"(?:^|[\s:(\[>,])([45]\d\d)(?=[ \t\-:,)]|$)", re.MULTILINE)
_PERMANENT = re.compile(
    r"permanent (?:error|failure|fatal)|failed permanently|fatal error|returned permanent", re.IGNORECASE
)
_JSON = re.compile(r'"notificationType"\s*:\s*"(Complaint|Bounce|Delivery)"')
_JSON_BOUNCE = re.compile(r'"bounceType"\s*:\s*"(Permanent|Transient|Undetermined)"')
_JSON_ADDRESS = re.compile(r'"emailAddress"\s*:\s*"([^"\s\x00-\x1f]{3,320})"')


def is_notice(mail: Mail, text: str) -> bool:
    """Whether a mail tells of a delivery: an answering machine and a person's letter do not."""
    subject = readable(mail.fields.get("subject"))
    if mail.fields.get("x-failed-recipients"):
        return True
    if _AUTOMATIC_REPLY.search(subject):
        return False
    clues = bool(_FROM.search(mail.fields.get("from"))) + bool(_SUBJECT.search(subject)) + bool(_TEXT.search(text))
    # People have a return path: from them one clue is not enough.
    doubtful = mail.fields.get("return-path").strip() not in {"", "<>"}
    return clues > doubtful or mail.fields.get("content-type").lower().startswith("multipart/report")


def notice_text(mail: Mail) -> str:
    """What the notice itself says, up to the returned message."""
    texts = [
        part.text for part in mail.parts if part.content_type.startswith("text/") and "rfc822" not in part.content_type
    ]
    whole = "\n".join(texts[:3])[:_NOTICE_MOST] if texts else ""
    ends = _RETURNED.search(whole)
    return whole[: ends.start()] if ends else whole


def read_notice(mail: Mail, text: str) -> list[Told]:
    """What a notice says, a recipient each. The caller knows that it is one."""
    named = recipients(mail, text)
    if not named:
        return [_judged(None, text, text)]
    told: list[Told] = []
    for index, (address, start) in enumerate(named):
        end = named[index + 1][1] if index + 1 < len(named) else len(text)
        told.append(_judged(address, text[start:end] if start >= 0 else text, text))
    return told


def recipients(mail: Mail, text: str) -> list[tuple[str, int]]:
    """Addresses that failed, and where each stands in the text (-1: nowhere); in the order of the text."""
    own = " ".join(mail.fields.all("to") + mail.fields.all("from")).lower()
    found: dict[str, int] = {}
    among_own: dict[str, int] = {}
    for match in _NAMED.finditer(text):
        address = (match["a"] or match["b"]).strip(".'")
        key = address.lower()
        is_own = key in own or key.startswith(("mailer-daemon@", "postmaster@"))
        (among_own if is_own else found).setdefault(address, match.start())
        if len(found) >= _RECIPIENTS_MOST:
            break
    found = found or dict(list(among_own.items())[:1])
    failed = [one for part in mail.fields.get("x-failed-recipients").split(",") if (one := address_of(part))]
    if failed:
        lower = text.lower()
        found = {one: lower.find(one.lower()) for one in failed[:_RECIPIENTS_MOST]}
    return sorted(found.items(), key=lambda item: item[1])


def _judged(address: str | None, own: str, whole: str) -> Told:
    """By the text about this recipient; by the whole notice where that says nothing."""
    for text in (own, whole):
        status, words, reply = best_status(text), judge_words(text), _REPLY.search(text)
        detail = " ".join(text.split())[:DETAIL_MOST]
        if status is not None and not status.is_generic:
            return Told(status.kind, address, str(status), detail, "text")
        if words is not None:
            return Told(words.kind, address, words.status, detail, "text")
        if reply is not None or status is not None:
            code = str(status) if status else reply[1] if reply else ""
            kind: Kind = "soft" if code.startswith("4") else "hard"
            return Told(kind, address, code, detail, "text")
    if _PERMANENT.search(whole):
        return Told("hard", address, None, " ".join(whole.split())[:DETAIL_MOST], "text")
    return Told("other", address, None, " ".join(own.split())[:DETAIL_MOST], "text")


def notification(text: str) -> list[Told]:
    """What a sending service tells in JSON (Amazon SES by SNS), broken over lines as it may be; empty if it doesn't."""
    joined = text.replace("!\n ", "").replace("\n", "")
    said = _JSON.search(joined)
    if said is None:
        return []
    kind = said[1]
    address = _JSON_ADDRESS.search(joined)
    recipient = address[1] if address else None
    if kind == "Complaint":
        return [Told("complaint", recipient, None, "notification: complaint", "arf")]
    if kind == "Delivery":
        return [Told("delivered", recipient, None, "notification: delivery", "dsn")]
    bounce, status = _JSON_BOUNCE.search(joined), best_status(joined)
    if status is not None and not status.is_generic:
        return [Told(status.kind, recipient, str(status), "notification: bounce", "dsn")]
    lasting = bounce is not None and bounce[1] == "Permanent"
    return [
        Told("hard" if lasting else "soft", recipient, str(status) if status else None, "notification: bounce", "dsn")
    ]
