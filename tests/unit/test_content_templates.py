"""Templates, catalogues and links: what is rendered, and what is refused with file, line and known names."""

from pathlib import Path

import pytest

from postcart.content import formats, sample
from postcart.content.context import build_context
from postcart.content.languages import Languages
from postcart.content.lint import Problem, lint_templates
from postcart.content.messages import extract_messages, template_text
from postcart.content.preview import render_preview
from postcart.content.templates import TemplateSet
from postcart.content.urls import check_urls, web_url
from postcart.errors import ConfigurationError, RenderError

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "locales"
MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>\n%s\n</mj-text></mj-column></mj-section></mj-body></mjml>"


def folder(tmp_path: Path, body: str = "x", *, subject: str = "s", text: str | None = None) -> Path:
    made = tmp_path / "templates" / "t"
    made.mkdir(parents=True)
    (made / "email.mjml.j2").write_text(MJML % body)
    (made / "subject.txt.j2").write_text(subject)
    (made / "preview.txt.j2").write_text("p")
    if text is not None:
        (made / "text.txt.j2").write_text(text)
    return tmp_path / "templates"


def html(templates: Path, locale: str = "en") -> str:
    context = build_context(
        sample.sample_job("t"),
        sample.RECIPIENT,
        sample.SHOP,
        date_ms=sample.DATE_MS,
        unsubscribe_url=None,
    )
    return TemplateSet(templates).render("t", Languages(LOCALES).resolve(locale), context).html


@pytest.mark.slow
def test_shipped_templates_and_catalogues_have_no_problem() -> None:
    """Every template, in every language, against every sample case."""
    assert lint_templates(ROOT / "templates", LOCALES) == []


def test_catalogues_are_up_to_date() -> None:
    """The template of catalogues is what extraction gives now."""
    assert (LOCALES / "postcart.pot").read_text("utf-8") == template_text(extract_messages(ROOT / "templates"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{{ cart.totl }}", r"templates/t/email\.mjml\.j2:2: unknown variable 'totl'; known here: currency, left_on"),
        ("{{ cart.lines[0].prize }}", r":2: unknown variable 'prize'; known here: id, initial, options"),
        ("{% if shop.nme %}x{% endif %}", r"unknown variable 'nme'"),
        ("{{ cart.__class__ }}", r"not allowed in a template: .*__class__"),
        ("{{ cart.lines.append(1) }}", r"not allowed in a template"),
        ("{{ shop.name.__init__.__globals__ }}", r"not allowed"),
        ("{% include 'partials/none.mjml.j2' %}", r"no such template: partials/none"),
        ("{{ cart.total + 'x' }}", r":2: TypeError"),
        ("{{ cart.left_on.strftime(recipient) }}", r":2: TypeError: strftime"),
        ("<a href='javascript:alert(1)'>x</a>", r"href has scheme 'javascript'"),
        ("<a href='{{ shop.name }}'>x</a>", r"href has no scheme"),
        ("<img alt='' src='data:image/png;base64,AA'/>", r"src has scheme 'data'"),
        ("<p style='background:url(ftp://x/y)'>x</p>", r"url\(\) has scheme 'ftp'"),
        ("</mj-text>", r"MJML"),
    ],
)
def test_render_errors_say_where_and_what(tmp_path: Path, body: str, message: str) -> None:
    """File, line, the wrong name and the right ones."""
    with pytest.raises(RenderError, match=message):
        html(folder(tmp_path, body))


def test_want_of_descriptors_is_no_error_of_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices and days are read from files when they are first written; the job must not be given up for it."""

    def nothing_opens(*_: object) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(formats, "money", nothing_opens)
    with pytest.raises(OSError, match="Too many open files"):
        html(folder(tmp_path, "{{ cart.total | money(cart.currency) }}"))


def test_static_problems_come_all_at_once(tmp_path: Path) -> None:
    """Syntax, unknown top-level names and missing parts are told when templates are read."""
    made = folder(tmp_path, "{{ basket.total }}", subject="{% if %}")
    (made / "other").mkdir()
    (made / "other" / "subject.txt.j2").write_text("x")
    with pytest.raises(ConfigurationError) as caught:
        TemplateSet(made)
    problems = "\n".join(caught.value.problems)
    assert "templates/t/email.mjml.j2:2: unknown variable 'basket'; known: cart, incentive" in problems
    assert "templates/t/subject.txt.j2:1: " in problems
    assert "templates/other/email.mjml.j2: missing" in problems
    with pytest.raises(ConfigurationError, match="no such folder"):
        TemplateSet(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="holds no template"):
        TemplateSet(tmp_path / "empty")


def test_lint_finds_what_rendering_lets_pass(tmp_path: Path) -> None:
    """Unknown MJML tags, images without alt, missing address and heading."""
    found = lint_templates(folder(tmp_path, "<mj-buton>x</mj-buton>\n<img src='https://x.example/y'/>"), LOCALES)
    texts = [str(problem) for problem in found]
    assert Problem("templates/t/email.mjml.j2:2", "<mj-buton> is no MJML tag") in found
    assert any("an image has no alt text" in text for text in texts)
    assert any("no postal address" in text for text in texts)
    assert any("no opt-out link" in text for text in texts)
    assert any("no heading" in text for text in texts)


def test_lint_finds_what_is_wrong_with_catalogues(tmp_path: Path) -> None:
    """Missing, superfluous, fuzzy, untranslated messages, other placeholders, markup."""
    made = folder(tmp_path, "{% trans %}One{% endtrans %}{% trans n=cart.pieces %}Two {{ n }}{% endtrans %}")
    po = tmp_path / "locales" / "de" / "LC_MESSAGES" / "postcart.po"
    po.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    po.write_text(head + 'msgid "Two %(n)s"\nmsgstr "<b>Zwei</b> %(m)s 5%"\n\nmsgid "Gone"\nmsgstr "Weg"\n')
    texts = "\n".join(str(problem) for problem in lint_templates(made, tmp_path / "locales"))
    for expected in (
        "'One' is missing",
        "'Gone' is in no template",
        "other placeholders",
        "percent sign",
        "has markup",
    ):
        assert expected in texts
    po.write_text(head + '#, fuzzy\nmsgid "One"\nmsgstr "Eins"\n\nmsgid "Two %(n)s"\nmsgstr ""\n')
    texts = "\n".join(str(problem) for problem in lint_templates(made, tmp_path / "locales"))
    assert "marked fuzzy" in texts
    assert "not translated" in texts


def test_a_broken_catalogue_is_a_configuration_error(tmp_path: Path) -> None:
    """With file and line; so is a folder that is no language, and a default without catalogue."""
    po = tmp_path / "de" / "LC_MESSAGES" / "postcart.po"
    po.parent.mkdir(parents=True)
    po.write_text('msgid "x"\nmsgstr nonsense\n')
    with pytest.raises(ConfigurationError, match=r"postcart\.po:"):
        Languages(tmp_path)
    with pytest.raises(ConfigurationError, match="no catalogue"):
        Languages(LOCALES, "fr")
    with pytest.raises(ConfigurationError, match="no such folder"):
        Languages(tmp_path / "nowhere")
    po.unlink()
    (tmp_path / "klingon" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "klingon" / "LC_MESSAGES" / "postcart.po").write_text("")
    with pytest.raises(ConfigurationError, match="no language"):
        Languages(tmp_path)


def test_text_part_without_template(tmp_path: Path) -> None:
    """It is made from the HTML, with its links."""
    made = folder(tmp_path, "<h1>Hi</h1><a href='https://x.example/y'>there</a>")
    shown = render_preview("t", "en", templates=made, locales=LOCALES)
    assert "Hi" in shown.text
    assert "https://x.example/y" in shown.text
    assert "<" not in shown.text.replace("<https://x.example/y>", "")


def test_version_is_a_digest_of_what_a_template_uses(tmp_path: Path) -> None:
    """Another text is another version; another template's text is not."""
    made = folder(tmp_path)
    before = TemplateSet(made).version("t")
    (made / "other").mkdir()
    for name in ("email.mjml.j2", "subject.txt.j2", "preview.txt.j2"):
        (made / "other" / name).write_text("x")
    assert TemplateSet(made).version("t") == before
    (made / "partials").mkdir()
    (made / "partials" / "a.txt.j2").write_text("x")
    assert TemplateSet(made).version("t") != before


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/relative",
        "https://",
        "https:/x",
        "http:",
        "https://[bad",
        "",
    ],
)
def test_other_addresses_are_not_linked(url: str) -> None:
    """In a product's link they are left out, in markup they are refused."""
    assert web_url(url) is None
    with pytest.raises(RenderError):
        check_urls(f'<a href="{url}">', "t")


@pytest.mark.parametrize(
    "markup", ['<a href="https://x.example/a?b=1&amp;c=2">', "<a href='mailto:a@x.example'>", '<a href="#top">', "text"]
)
def test_addresses_that_may_be_linked(markup: str) -> None:
    """https, http, mailto, and a place in the mail itself."""
    check_urls(markup, "t")


def test_entities_hide_no_scheme() -> None:
    """What a browser decodes is decoded before the check."""
    with pytest.raises(RenderError, match="no scheme"):
        check_urls('<a href="java&#x09;script&colon;alert(1)">', "t")
    with pytest.raises(RenderError, match="javascript"):
        check_urls("<a href=javascript&#58;alert(1)>", "t")
