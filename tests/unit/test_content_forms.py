"""What mails share is made once, and that shows in none of them: HTML and bytes are those of a mail alone."""

import email
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from postcart.content import sample
from postcart.content.context import Recipient, build_context
from postcart.content.forms import Page
from postcart.content.languages import Languages
from postcart.content.mjml import to_html
from postcart.content.preview import preview_renderer
from postcart.content.templates import TemplateSet
from postcart.content.urls import check_urls
from postcart.errors import RenderError
from postcart.events.jobs import Job
from postcart.events.shop import Product

ROOT = Path(__file__).parents[2]
TEMPLATES = TemplateSet(ROOT / "templates")
LANGUAGES = Languages(ROOT / "locales")
MJML = "<mjml><mj-body><mj-section><mj-column>\n%s\n</mj-column></mj-section></mj-body></mjml>"

WORDS = st.text(
    st.sampled_from(list("ab1 \t<>&\"'=.%{}\\/:;#\u0301\u2068ä\u0e31\U0001f680\x02⟦⟧")),
    max_size=40,
)
URLS = st.sampled_from(
    [None, "https://shop.example/p?a=1&b=2", "https://shop.example/\u0939\u093f/x'y", "javascript:x"]
)


def _page(templates: TemplateSet, name: str, job: Job, recipient: Recipient = sample.RECIPIENT) -> Page:
    return templates.render(name, LANGUAGES.resolve(recipient.locale), _context(job, recipient)).page


def _alone(templates: TemplateSet, name: str, job: Job, recipient: Recipient = sample.RECIPIENT) -> str:
    """The HTML by MJML from the whole document, as if there were no other mail."""
    mjml = templates.mjml(name, LANGUAGES.resolve(recipient.locale), _context(job, recipient))
    html = to_html(mjml, name)
    check_urls(html, name)
    return html


def _context(job: Job, recipient: Recipient) -> dict[str, object]:
    url = "https://shop.example/u/token"
    return build_context(job, recipient, sample.SHOP, date_ms=sample.DATE_MS, unsubscribe_url=url)


def _own(tmp_path: Path, body: str, **partials: str) -> TemplateSet:
    made = tmp_path / "templates" / "t"
    made.mkdir(parents=True)
    (made / "email.mjml.j2").write_text(MJML % body)
    (made / "subject.txt.j2").write_text("s")
    (made / "preview.txt.j2").write_text("p")
    (made.parent / "partials").mkdir()
    for name, text in partials.items():
        (made.parent / "partials" / f"{name}.j2").write_text(text)
    return TemplateSet(made.parent)


@given(data=st.data())
def test_a_mail_says_what_it_says_alone(data: st.DataObject) -> None:
    """Any goods, any name, any language, every template: the HTML is MJML's of the whole document."""
    template = data.draw(st.sampled_from(TEMPLATES.of_channel("email")))
    jobs = sample.sample_jobs(template, TEMPLATES.about(template))
    job = jobs[data.draw(st.sampled_from(sorted(jobs)))]
    lines = tuple(
        structs.replace(
            line,
            quantity=data.draw(st.integers(1, 3)),
            product=Product(
                title=data.draw(WORDS),
                options=data.draw(WORDS),
                picture_url=data.draw(URLS),
                page_url=data.draw(URLS),
            ),
        )
        for line in job.lines[: data.draw(st.integers(1, 3))]
    )
    job = structs.replace(job, lines=lines)
    tag = data.draw(st.sampled_from(["en-GB", "de-AT", "ar-EG"]))
    recipient = Recipient("ana@example.com", data.draw(WORDS), tag, "Europe/London")
    assert _page(TEMPLATES, template, job, recipient).html == _alone(TEMPLATES, template, job, recipient)


@given(title=WORDS, name=WORDS, other=WORDS)
def test_a_kept_form_changes_no_byte(title: str, name: str, other: str) -> None:
    """The mail of a set that has sent others before is that of a set that has sent none."""

    def mail(templates: TemplateSet, title: str, name: str) -> bytes:
        line = structs.replace(sample.LINES[0], product=Product(title=title))
        job = sample.sample_job("cart-reminder", lines=(line,))
        recipient = Recipient("ana@example.com", name, "en-GB", None)
        return preview_renderer(templates, LANGUAGES).render(job, recipient, date_ms=sample.DATE_MS).data

    warm = mail(TEMPLATES, other, title), mail(TEMPLATES, title, name)
    assert warm[1] == mail(_fresh(), title, name)
    message = email.message_from_bytes(warm[1], policy=SMTP)
    assert isinstance(message, EmailMessage)
    body = warm[1].partition(b"\r\n\r\n")[2]
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    part = message.get_body(("html",))
    assert part is not None
    assert not part.defects


def _fresh() -> TemplateSet:
    """The same templates without any form."""
    fresh = object.__new__(TemplateSet)
    fresh.__dict__.update(TEMPLATES.__dict__)
    fresh._forms = type(TEMPLATES._forms)()  # compiling them anew takes a second
    return fresh


def test_mails_of_the_same_choices_share_a_form() -> None:
    """Otherwise nothing would be saved: other people, other goods, other prices are no other form."""

    def page(name: str, title: str, variant: str) -> Page:
        line = structs.replace(sample.LINES[0], variant_id=variant, product=Product(title=title))
        job = sample.sample_job("cart-reminder", lines=(line,))
        return _page(TEMPLATES, "cart-reminder", job, Recipient("a@example.com", name, "en-GB", None))

    one, other = page("Ana", "Oil", "1"), page("Bob & Söhne", "Lamp <large>", "2")
    assert one.form is other.form
    assert one.html != other.html
    assert "Bob &amp; Söhne" in other.html
    assert "Lamp &lt;large&gt;" in other.html


@pytest.mark.parametrize(
    "body",
    [
        '<mj-image width="{{ cart.pieces * 20 }}px" src="https://x.example/y" alt="{{ shop.name }}"/>',
        '<mj-text align="{{ language.end }}" padding="{{ cart.pieces }}px">{{ recipient.name }}</mj-text>',
        '<mj-text css-class="a>b" padding="{{ cart.pieces }}px">{{ recipient.name }}</mj-text>',
        "<mj-text>{% set x %}{{ recipient.name }}{% endset %}{{ x | length }}{% if x == 'Ana' %}!{% endif %}</mj-text>",
        "<mj-text>{% macro m(a) %}{{ a }}{% endmacro %}{% if m('b') == 'b' %}same{% endif %}</mj-text>",
        "<mj-text>{% filter upper %}{{ recipient.name }}{% endfilter %}</mj-text>",
        "<mj-text>{% block a %}{{ recipient.name }}{% endblock %}{{ self.a() | length }}</mj-text>",
        "<mj-text>{% include 'partials/plain.txt.j2' %} {{ recipient.name }}</mj-text>",
        "<mj-text>{% include ['partials/none.j2', 'partials/plain.txt.j2'] %}</mj-text>",
        "<mj-text>{{ '' }}{{ ' ' }}{{ '&nbsp;' | safe }}{{ '<b>x</b>' | safe }}{{ none }} {{ shop.name }} </mj-text>",
        "<mj-raw><p title='{{ recipient.name }}'>{{ cart.pieces }}</p></mj-raw>",
        "<mj-table><tr><td width='{{ cart.pieces }}'>{{ recipient.name }}</td></tr></mj-table>",
        "<mj-text>⟦0:⟧ {{ recipient.name }}</mj-text>",
        "<mj-text><a href='https://x.example/{{ cart.pieces }}/{{ recipient.name }}'>{{ shop.name }}</a></mj-text>",
    ],
)
def test_what_templates_do_is_as_it_was(tmp_path: Path, body: str) -> None:
    """Values in MJML's own attributes, captured output, markup, includes: nothing knows of marks or holders."""
    templates = _own(tmp_path, body, **{"plain.txt": "A & B {{ cart.pieces }}"})
    for name in ("Ana", "Bob <b>", "\u2068x\u2069", ""):
        for count in (1, 2, 3):
            lines = tuple(structs.replace(line, quantity=1) for line in sample.LINES[:count])
            job = sample.sample_job("t", lines=lines)
            recipient = Recipient("a@example.com", name, "ar-EG" if count == 2 else "en-GB", None)
            try:
                expected = _alone(templates, "t", job, recipient)
            except RenderError:
                with pytest.raises(RenderError):
                    _page(templates, "t", job, recipient)
            else:
                assert _page(templates, "t", job, recipient).html == expected


@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        ("<a href='{{ cart.lines[0].options }}'>x</a>", "https://ok.example/x", "javascript:alert(1)"),
        ("<a href='{{ cart.lines[0].options }}'>x</a>", "https://ok.example/x", "/relative"),
        ("<a {{ cart.lines[0].options }}='javascript:alert(1)'>x</a>", "title", "href"),
        ("<a {{ cart.lines[0].options }}ef='javascript:alert(1)'>x</a>", "id", "hr"),
        ("<p style='{{ cart.lines[0].options }}'>x</p>", "margin:0", "background:url(javascript:alert)"),
        ("<p style='background:ur{{ cart.lines[0].options }}'>x</p>", "ple", "l(javascript:alert)"),
        ("<p style='background:url({{ cart.lines[0].options }})'>x</p>", "https://ok.example/x", "ftp://x.example"),
    ],
)
def test_a_value_that_makes_a_forbidden_link_is_refused(tmp_path: Path, body: str, good: str, bad: str) -> None:
    """Also in a form that others have used lawfully."""
    templates = _own(tmp_path, f"<mj-text>{body}</mj-text>")

    def page(options: str) -> Page:
        line = structs.replace(sample.LINES[0], product=Product(options=options))
        return _page(templates, "t", sample.sample_job("t", lines=(line,)))

    assert good in page(good).html
    with pytest.raises(RenderError, match="only https, http and mailto may be linked"):
        page(bad)
    assert good in page(good).html


def test_a_style_sheet_that_loads_is_refused(tmp_path: Path) -> None:
    """What a value says in one is looked at."""
    templates = _own(tmp_path, "<mj-raw><style>p { {{ cart.lines[0].options }} }</style></mj-raw>")

    def page(options: str) -> Page:
        line = structs.replace(sample.LINES[0], product=Product(options=options))
        return _page(templates, "t", sample.sample_job("t", lines=(line,)))

    assert "margin:0" in page("margin:0").html
    with pytest.raises(RenderError, match="url"):
        page("background:url(ftp://x.example)")


def test_attributes_keep_every_letter() -> None:
    """What joins with other letters, isolates and backslashes reach the browser as they are, line ends as a space."""
    link = 'title="n\u0303 \u2068x\u2069 a\\b" href="https://x.example/\u0939\u093f"\n style="a:b;\n c:d"'
    html = to_html(MJML % f"<mj-text><a {link}>y</a></mj-text>", "t")
    assert 'title="n\u0303 \u2068x\u2069 a\\b"' in html
    assert 'href="https://x.example/\u0939\u093f"' in html
    assert 'style="a:b; c:d"' in html
