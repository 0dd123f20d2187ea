"""Settings come from environment, file and defaults; what is wrong is told at once, by the name that was typed."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from postcart.errors import ConfigurationError
from postcart.settings import known_settings, load_settings, require, show_settings, variable

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def problems_of(environ: dict[str, str], file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, file)
    return caught.value.problems


def test_nothing_set_is_a_whole_configuration() -> None:
    """A trial needs no settings; variables of others don't matter."""
    settings = load_settings({"PATH": "/bin", "KAFKA_BOOTSTRAP": "elsewhere:1"})
    assert settings.bootstrap == "localhost:9092"
    assert settings.topic("signals") == "postcart.signals"
    assert settings.shop_topic("carts") == "shop.carts"
    assert len(settings.master_key_bytes) == 32


def test_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each setting by itself: a group may come from both."""
    file = tmp_path / "postcart.yaml"
    file.write_text("partitions: 8\nsmtp:\n  host: file.example\n  port: 25\n")
    settings = load_settings({"POSTCART_SMTP__HOST": "env.example", "POSTCART_CONFIG": str(file)})
    assert (settings.partitions, settings.smtp.host, settings.smtp.port) == (8, "env.example", 25)
    assert settings.smtp.pool_size == 8


def test_toml_says_the_same(tmp_path: Path) -> None:
    """Both forms of a file lead to equal settings."""
    toml, yaml = tmp_path / "a.toml", tmp_path / "a.yaml"
    toml.write_text(
        'value_bands = "low<10, high"\n[smtp]\nhost = "x"\n[[peak]]\nfirst = 2026-11-20\nlast = 2026-12-26\n'
    )
    yaml.write_text("value_bands: low<10, high\nsmtp: {host: x}\npeak: [{first: 2026-11-20, last: 2026-12-26}]\n")
    assert load_settings({}, toml) == load_settings({}, yaml)
    assert load_settings({}, toml).peak == load_settings({"POSTCART_PEAK": "2026-11-20..2026-12-26"}).peak


def test_one_line_forms() -> None:
    """Lists fit into a variable, as people write them or as JSON."""
    settings = load_settings(
        {
            "POSTCART_VALUE_BANDS": "small<25.50, big",
            "POSTCART_SHOP__POSTAL_ADDRESS": "Shop Ltd, Unit 2 | 1 Road, Town",
            "POSTCART_BOOTSTRAP": "a:9092 , b:9092",
        }
    )
    assert [(band.name, band.below) for band in settings.value_bands] == [("small", Decimal("25.50")), ("big", None)]
    assert settings.shop.postal_address == ("Shop Ltd, Unit 2", "1 Road, Town")
    assert settings.bootstrap == "a:9092,b:9092"
    as_json = load_settings({"POSTCART_VALUE_BANDS": '[{"name": "small", "below": "25.50"}, {"name": "big"}]'})
    assert as_json.value_bands == settings.value_bands


def test_all_problems_at_once_each_by_its_name(tmp_path: Path) -> None:
    """Wrong values, unknown names and groups that don't fit, from both sources, in one report."""
    file = tmp_path / "postcart.yaml"
    file.write_text("smtp:\n  prot: 25\n  port: x\n")
    found = problems_of(
        {
            "POSTCART_SMTP_HOST": "mail",
            "POSTCART_SMTP": "mail",
            "POSTCART_XYZZY": "1",
            "POSTCART_PARTITIONS": "0",
            "POSTCART_BOOTSTRAP": "nonsense",
            "POSTCART_DKIM__DOMAIN": "shop.example",
            "POSTCART_CURRENCY": "euro",
        },
        file,
    )
    text = "\n".join(found)
    assert f"{file}:2: smtp.prot: there is no such setting; did you mean smtp.port?" in found
    assert "POSTCART_SMTP_HOST: there is no such setting; did you mean POSTCART_SMTP__HOST?" in found
    assert "POSTCART_XYZZY: there is no such setting" in found
    assert "POSTCART_SMTP: is a group of settings: POSTCART_SMTP__HOST" in text
    assert f"{file}:3: smtp.port: must be a valid integer" in text
    assert "POSTCART_PARTITIONS: must be greater than or equal to 1" in found
    assert "POSTCART_BOOTSTRAP: 'nonsense': write host:port" in text
    assert "POSTCART_DKIM__DOMAIN: domain, selector and private_key_file go together" in text
    assert "POSTCART_CURRENCY: 'euro': write the three capital letters" in text


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"POSTCART_SMTP__USERNAME": "u"}, "username and password go together"),
        (
            {
                "POSTCART_SMTP__USERNAME": "u",
                "POSTCART_SMTP__PASSWORD": "p",
                "POSTCART_SMTP__TLS": "none",
                "POSTCART_SMTP__HOST": "far",
            },
            "a password is not sent in clear",
        ),
        ({"POSTCART_KAFKA__SECURITY_PROTOCOL": "sasl_ssl"}, "sasl needs sasl_username"),
        ({"POSTCART_VALUE_BANDS": "low<50"}, "the last must have none"),
        ({"POSTCART_VALUE_BANDS": "low<50, mid<20, high"}, "the bounds must rise"),
        ({"POSTCART_PEAK": "2026-12-26..2026-11-20"}, "before it begins"),
        ({"POSTCART_UNSUBSCRIBE__BASE_URL": "http://shop.example/u"}, "https://"),
        ({"POSTCART_SHOP__TIME_ZONE": "Mars/Olympus"}, "IANA"),
        ({"POSTCART_SHOP__FROM_ADDRESS": "a@b.c, d@e.f"}, "one plain address"),
        ({"POSTCART_SHOP__COUNTRY": "Germany"}, "ISO 3166"),
        ({"POSTCART_DKIM__ED25519_SELECTOR": "s"}, "go together"),
    ],
)
def test_what_does_not_fit_is_told(environ: dict[str, str], says: str) -> None:
    """One problem, one line, beginning with a variable that was set."""
    (line,) = problems_of(environ)
    assert says in line
    assert line.startswith(tuple(environ))


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "- a\n", "a: [1\n", "\tx"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    """With its line, as far as there is one."""
    file = tmp_path / "postcart.yaml"
    file.write_text(text)
    (line,) = problems_of({}, file)
    assert line.startswith(f"{file}:")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Also one whose form can't be told."""
    assert "can't be read" in problems_of({"POSTCART_CONFIG": str(tmp_path / "no.yaml")})[0]
    (tmp_path / "a.ini").write_text("")
    assert "name it .yaml or .toml" in problems_of({}, tmp_path / "a.ini")[0]


def test_secrets_are_never_shown() -> None:
    """Neither by config show, nor in a message, nor in the text of the model."""
    environ = {
        "POSTCART_IDENTITY_KEY": "sesame-sesame-sesame",
        "POSTCART_SMTP__USERNAME": "user",
        "POSTCART_SMTP__PASSWORD": "sesame-password",
        "POSTCART_SCHEMA_REGISTRY_URL": "https://user:sesame@registry.example:8081/x",
    }
    assert "sesame" not in str(show_settings(environ))
    assert "sesame" not in repr(load_settings({key: environ[key] for key in environ if "REGISTRY" not in key}))
    wrong = {"POSTCART_MASTER_KEY": "sesame", "POSTCART_IDENTITY_KEY": "sesame"}
    assert "sesame" not in "".join(problems_of(wrong))
    assert len(problems_of(wrong)) == 2


def test_show_says_where_each_value_is_from(tmp_path: Path) -> None:
    """Default, file with line, or variable."""
    file = tmp_path / "postcart.yaml"
    file.write_text("\npartitions: 6\n")
    shown = {one.name: one for one in show_settings({"POSTCART_LOG__LEVEL": "debug"}, file)}
    assert (shown["partitions"].value, shown["partitions"].origin) == ("6", "file")
    assert shown["partitions"].place == f"{file}:2: partitions"
    assert (shown["log.level"].origin, shown["log.level"].place) == ("env", "POSTCART_LOG__LEVEL")
    assert (shown["currency"].origin, shown["currency"].place) == ("default", "")
    assert shown["value_bands"].value == "low<50, medium<200, high"
    assert shown["master_key"].value == "(secret, not set)"


def test_a_trials_default_is_refused_where_real_values_are_needed() -> None:
    """Known keys must not protect real people."""
    settings = load_settings({"POSTCART_MASTER_KEY": KEY})
    require(settings, "master_key")
    with pytest.raises(ConfigurationError) as caught:
        require(settings, "master_key", "identity_key", "smtp.host")
    assert [line.split()[0] for line in caught.value.problems] == ["POSTCART_IDENTITY_KEY", "POSTCART_SMTP__HOST"]


def test_settings_can_not_be_changed() -> None:
    """Frozen, groups as well."""
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.smtp.port = 1
    changed = settings.with_values({"clock": "replay"})
    assert (changed.clock, settings.clock) == ("replay", "wall")


def test_kafka_properties() -> None:
    """Plain text needs none; with TLS the host name is always checked."""
    assert load_settings({}).kafka.properties() == {}
    secured = load_settings(
        {
            "POSTCART_KAFKA__SECURITY_PROTOCOL": "sasl_ssl",
            "POSTCART_KAFKA__SASL_USERNAME": "u",
            "POSTCART_KAFKA__SASL_PASSWORD": "p",
        }
    ).kafka.properties()
    assert secured["ssl.endpoint.identification.algorithm"] == "https"
    assert secured["sasl.password"] == "p"


def test_every_setting_is_described() -> None:
    """The descriptions are the documentation."""
    assert [path for path, known in known_settings() if not known.what] == []


@given(st.sampled_from([variable(path) for path, _known in known_settings()]), st.text(max_size=20))
def test_no_value_escapes_as_another_error(name: str, text: str) -> None:
    """Whatever a variable holds, the answer is settings or one ConfigurationError."""
    try:
        load_settings({name: text})
    except ConfigurationError as problem:
        assert name in str(problem)  # noqa: PT017 -- either outcome is right
