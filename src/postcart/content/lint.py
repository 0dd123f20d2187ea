"""Everything that can be known to be wrong with templates and catalogues before a mail goes out.

Owns: the checks; each problem is one line with its file. Must not: change anything.

Every template is rendered in every language against every sample case, so a variable that is wrong in one branch, or
in one translation, is found.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from postcart.content import sample
from postcart.content.context import build_context
from postcart.content.inapp import InAppRenderer
from postcart.content.languages import Language, Languages
from postcart.content.messages import problems as catalogue_problems
from postcart.content.mjml import unknown_tags
from postcart.content.push import BODY, TITLE, PushRenderer
from postcart.content.sms import PART as SMS
from postcart.content.sms import SmsRenderer
from postcart.content.templates import HTML, Content, TemplateSet
from postcart.errors import ConfigurationError, RenderError
from postcart.events.jobs import Job

_LONGEST_SUBJECT = 78
"""Characters; longer ones are cut off in mailboxes, and folded in headers."""

_CLIPPED_BYTES = 102_000
"""Gmail cuts a mail's HTML there, and with it the opt-out link."""

_PROMOTIONS = frozenset({"incentive", "unsubscribe_url", "cart"})
"""What only messages that need consent may speak of."""

_LONG_ID = "long id"
"""Of an order: a push message may end within what follows it."""

_UNTRANSLATED = re.compile(r"%\(\w+\)s|\{\{|\{%")
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"\balt=", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong. ``where`` is a file, with line where it is known."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def lint_templates(templates: Path, locales: Path) -> list[Problem]:
    """All problems of the folders ``templates`` and ``locales``, sorted, each once. Empty is good."""
    try:
        made = TemplateSet(templates)
        languages = Languages(locales)
    except ConfigurationError as error:
        return sorted(_parted(problem) for problem in error.problems)
    found = {_parted(problem) for problem in catalogue_problems(templates, locales)}
    found.update(_unknown_tags(made))
    for name in made.names:
        found.update(_promotions(made, name))
    for tag in languages.tags:
        language = languages.resolve(tag)
        for name in made.of_channel("email"):
            found.update(_rendered(made, language, name))
        for name in made.of_channel("sms"):
            found.update(_text_messages(made, languages, language, name))
        for name in made.of_channel("inapp"):
            found.update(_feed_items(made, languages, language, name))
        for name in made.of_channel("push"):
            found.update(_push_messages(made, languages, language, name))
    return sorted(found)


def _unknown_tags(templates: TemplateSet) -> Iterator[Problem]:
    for path, source in templates.sources.items():
        if path.endswith(".mjml.j2"):
            for line, tag in unknown_tags(source):
                yield Problem(f"{templates.folder.name}/{path}:{line}", f"<{tag}> is no MJML tag")


def _cases(templates: TemplateSet, name: str) -> dict[str, Job]:
    """What the template has to render: each reason of an exception only if it tells them apart."""
    cases = sample.sample_jobs(name, templates.about(name))
    if any("parcel.reason" in templates.sources[path] for path in templates.files(name)):
        return cases
    told = [case for case, job in cases.items() if job.parcel and job.parcel.status == "exception"]
    return {case: job for case, job in cases.items() if case not in told[1:]}


def _promotions(templates: TemplateSet, name: str) -> Iterator[Problem]:
    """A message about an order or a parcel advertises nothing: a promotion would make it an advertisement by law."""
    if not templates.about(name) & {"order", "parcel"}:
        return
    mentioned = templates.mentions(name)
    for variable in sorted(_PROMOTIONS & mentioned.keys()):
        what = f"'{variable}' has no place in a message about an order or a parcel; it goes out without consent"
        yield Problem(f"{templates.folder.name}/{mentioned[variable]}", f"{what} (template {name})")


def _rendered(templates: TemplateSet, language: Language, name: str) -> Iterator[Problem]:
    where = f"{templates.folder.name}/{name}"
    nobody = replace(sample.RECIPIENT, name=None, time_zone=None)
    for number, (case, job) in enumerate(_cases(templates, name).items()):
        link = "https://shop.example/u/token" if job.purpose == "marketing" else None
        for recipient in (sample.RECIPIENT, nobody)[: 1 if number else 2]:
            context = build_context(
                job,
                recipient,
                sample.SHOP,
                date_ms=sample.DATE_MS,
                unsubscribe_url=link,
            )
            try:
                # Tags that come out of expressions are found here; those in the source have their line above.
                for _, tag in unknown_tags(templates.mjml(name, language, context)):
                    yield Problem(f"{where}/{HTML}", f"<{tag}> is no MJML tag")
                content = templates.render(name, language, context)
            except RenderError as error:
                yield _parted(str(error))
                continue
            for problem in _content_problems(content, link):
                yield Problem(where, f"{problem} ({language.tag}, {case})")


def _text_messages(templates: TemplateSet, languages: Languages, language: Language, name: str) -> Iterator[Problem]:
    """Text messages of usual shops and carts: within their bound, with the way out."""
    where = f"{templates.folder.name}/{name}/{SMS}"
    renderer = SmsRenderer(templates, sample.SHOP, languages=languages)
    for case, job in _cases(templates, name).items():
        recipient = replace(sample.RECIPIENT, address=sample.PHONE, locale=language.tag)
        try:
            sms = renderer.render(structs.replace(job, channel="sms"), recipient, date_ms=sample.DATE_MS)
        except RenderError as error:
            yield _parted(str(error))
            continue
        if _UNTRANSLATED.search(sms.body):
            yield Problem(where, f"the text shows a placeholder ({language.tag}, {case})")
        if job.purpose == "marketing" and "STOP" not in sms.body:
            yield Problem(where, f"the text does not say STOP ({language.tag}, {case})")
        if job.purpose == "transactional" and "STOP" in sms.body:
            yield Problem(where, f"a transactional text offers to opt out ({language.tag}, {case})")


def _feed_items(templates: TemplateSet, languages: Languages, language: Language, name: str) -> Iterator[Problem]:
    """Items of the in-app feed: within their bounds, with nothing left to fill in."""
    where = f"{templates.folder.name}/{name}/inapp.*.j2"
    renderer = InAppRenderer(templates, sample.SHOP, languages=languages)
    for case, job in _cases(templates, name).items():
        recipient = replace(sample.RECIPIENT, locale=language.tag)
        try:
            item = renderer.render(structs.replace(job, channel="inapp"), recipient, date_ms=sample.DATE_MS)
        except RenderError as error:
            yield _parted(str(error))
            continue
        if _UNTRANSLATED.search(f"{item.title} {item.body} {item.label or ''}"):
            yield Problem(where, f"a text shows a placeholder ({language.tag}, {case})")
        if (item.label is None) != (item.url is None):
            yield Problem(where, f"label and link go together ({language.tag}, {case})")


def _push_messages(templates: TemplateSet, languages: Languages, language: Language, name: str) -> Iterator[Problem]:
    """Push messages of usual shops and carts: shown whole."""
    where = f"{templates.folder.name}/{name}"
    renderer = PushRenderer(templates, sample.SHOP, languages=languages)
    recipient = replace(sample.RECIPIENT, locale=language.tag)
    for case, job in _cases(templates, name).items():
        try:
            push = renderer.render(structs.replace(job, channel="push"), recipient, (), date_ms=sample.DATE_MS)
        except RenderError as error:
            yield _parted(str(error))
            continue
        for part, text in ((TITLE, push.title), (BODY, push.body)):
            if text.endswith("…") and case != _LONG_ID:
                yield Problem(f"{where}/{part}", f"too long, it would be cut ({language.tag}, {case})")
            if _UNTRANSLATED.search(text):
                yield Problem(f"{where}/{part}", f"the text shows a placeholder ({language.tag}, {case})")


def _content_problems(content: Content, link: str | None) -> Iterator[str]:
    if not content.subject or not content.preview:
        yield "subject or preview is empty"
    if len(content.subject) > _LONGEST_SUBJECT:
        yield f"the subject has {len(content.subject)} characters, mailboxes show at most {_LONGEST_SUBJECT}"
    if len(content.html.encode()) > _CLIPPED_BYTES:
        yield f"the HTML has more than {_CLIPPED_BYTES} bytes and would be clipped"
    for part, text in (("HTML", content.html), ("text", content.text)):
        if _UNTRANSLATED.search(text):
            yield f"the {part} part shows a placeholder"
        if sample.SHOP.postal_address[0] not in text:
            yield f"the {part} part has no postal address"
        if link and link not in text:
            yield f"the {part} part has no opt-out link"
    if any(not _ALT.search(image) for image in _IMAGE.findall(content.html)):
        yield "an image has no alt text"
    if "<h1" not in content.html:
        yield "there is no heading"
    if _TAG.search(content.text.replace("<large>", "")):
        yield "the text part has markup"


def _parted(problem: str) -> Problem:
    where, _, what = problem.partition(": ")
    return Problem(where, what)
