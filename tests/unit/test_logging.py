"""Logging: structured lines that hold no addresses and no bodies, whoever wrote them."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from postcart.wiring.logging import NOISY, configure_logging


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where the lines go; afterwards logging is as it was, for the other tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield io.StringIO()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_when_how_bad_and_what_first(out: io.StringIO) -> None:
    """Keys of the caller follow."""
    configure_logging(stream=out)
    structlog.get_logger("postcart.x").info("restored", partition=3)
    (line,) = lines(out)
    assert list(line) == ["timestamp", "level", "event", "partition", "logger"]
    assert (line["level"], line["event"], line["partition"], line["logger"]) == ("info", "restored", 3, "postcart.x")
    assert line["timestamp"].endswith("Z")


def test_the_console_form_is_for_people(out: io.StringIO) -> None:
    """Without colours where it is no terminal."""
    configure_logging(stream=out, form="console")
    structlog.get_logger("postcart.x").info("restored", partition=3)
    assert "restored" in out.getvalue()
    assert "partition=3" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_levels(out: io.StringIO) -> None:
    """Ours from the level on; the libraries' from theirs."""
    configure_logging(stream=out, level="info")
    structlog.get_logger("postcart.x").debug("no")
    logging.getLogger("aiokafka.consumer").info("no")
    logging.getLogger("faust.app").warning("yes %d", 1)
    configure_logging(stream=out, level="error")
    logging.getLogger("faust.app").warning("no")
    structlog.get_logger("postcart.x").warning("no")
    assert [line["event"] for line in lines(out)] == ["yes 1"]


def test_services_of_faust_do_not_tell_of_their_starting(out: io.StringIO) -> None:
    """Mode logs it under the name of the module that subclasses: ours. Trouble is still told."""
    configure_logging(stream=out)
    logging.getLogger("postcart.processors.engine.app").info("[^-StageApp]: Starting...")
    logging.getLogger("postcart.processors.engine.app").error("[^-StageApp]: Crashed")
    assert [line["level"] for line in lines(out)] == ["error"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_address_gets_into_a_line(out: io.StringIO, form: Any) -> None:
    """Not as a value, within a text, a list or an exception, nor from another library."""
    configure_logging(stream=out, form=form)
    log = structlog.get_logger("postcart.x")
    log.info("sent to ann@shop.example", to="ann@shop.example", many=["ann@shop.example"], job="1@host")
    log.warning("refused", error=ValueError("<ann@shop.example> unknown"))
    logging.getLogger("aiosmtplib").warning("550 %s", "ann@shop.example")
    try:
        raise ValueError("ann@shop.example")  # noqa: TRY301 -- a traceback is wanted
    except ValueError:
        log.exception("failed")
    assert "ann" not in out.getvalue()
    assert out.getvalue().count("[address]") >= 6
    assert "1@host" in out.getvalue()


def test_bodies_and_secrets_are_left_out_by_their_names(out: io.StringIO) -> None:
    """A habit that needs no thought."""
    configure_logging(stream=out)
    structlog.get_logger("postcart.x").info("rendered", html="<p>Dear Ann", password="hunter2", size=10)  # noqa: S106 -- that is the point
    (line,) = lines(out)
    assert (line["html"], line["password"], line["size"]) == ("[left out]", "[left out]", 10)


def test_tracebacks_show_no_local_variables(out: io.StringIO) -> None:
    """Among them would be keys and addresses."""
    configure_logging(stream=out, form="console")
    try:
        password = "hunter" + "2"
        raise ValueError(len(password))  # noqa: TRY301 -- a traceback is wanted
    except ValueError:
        structlog.get_logger("postcart.x").exception("failed")
    assert "Traceback" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_warnings_become_lines(out: io.StringIO) -> None:
    """They would go to stderr unstructured."""
    configure_logging(stream=out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert [line["level"] for line in lines(out)] == ["warning"]
