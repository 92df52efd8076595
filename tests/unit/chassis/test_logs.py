"""Logs."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace

from services.chassis.logs import configure_logs, get_logger


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """A stream that everything is logged to, as a service would log it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logs("kettle", "info", stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """Parse what was logged."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_event_is_one_json_line(out: io.StringIO) -> None:
    """An event says what, when, how bad, by whom and where."""
    get_logger("services.kettle").info("boiled", litres=2)
    (event,) = lines(out)
    assert (event["event"], event["litres"], event["level"]) == ("boiled", 2, "info")
    assert (event["service"], event["logger"]) == ("kettle", "services.kettle")
    assert event["time"].endswith("Z")


def test_records_of_libraries_look_the_same(out: io.StringIO) -> None:
    """What libraries log through the standard library is JSON as well."""
    logging.getLogger("library").warning("odd %s", "thing")
    (event,) = lines(out)
    assert (event["event"], event["level"]) == ("odd thing", "warning")
    assert (event["service"], event["logger"]) == ("kettle", "library")


def test_stack_stays_on_the_line(out: io.StringIO) -> None:
    """An exception is part of its event, however many lines it has."""
    error = RuntimeError("first\nsecond")
    get_logger("kettle").error("burnt", exc_info=error)
    (event,) = lines(out)
    assert "RuntimeError" in event["exception"]
    assert "first\nsecond" in event["exception"]


def test_less_severe_events_are_left_out(out: io.StringIO) -> None:
    """The level in the settings holds for everybody."""
    get_logger("kettle").debug("quiet")
    logging.getLogger("library").debug("quiet")
    assert lines(out) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"password": "hunter2"},
        {"refresh_token": "hunter2"},
        {"Authorization": "hunter2"},
        {"client_secret": "hunter2"},
        {"headers": {"cookie": "hunter2"}},
        {"attempts": [{"new_password": "hunter2"}]},
        {"tokens": ["hunter2"]},
        {"url": "postgresql://kettle:hunter2@127.0.0.1/kettle"},
        {"header": "Bearer hunter2"},
        {"line": "GET / eyJhbGciOiJFZERTQSJ9.eyJodW50ZXIyIjoxfQ.hunter2"},
    ],
)
def test_secrets_are_taken_out(out: io.StringIO, facts: dict[str, Any]) -> None:
    """Neither the name of a key nor the look of a text lets a secret through."""
    get_logger("kettle").info("signed_in", **facts)
    assert "hunter2" not in out.getvalue()
    assert "[redacted]" in out.getvalue()


def test_secrets_are_taken_out_of_stacks_and_library_records(out: io.StringIO) -> None:
    """What others say about our secrets is not logged either."""
    error = RuntimeError("can't reach postgresql://kettle:hunter2@127.0.0.1/kettle")
    get_logger("kettle").error("down", exc_info=error)
    logging.getLogger("library").error("sent Bearer hunter2")
    assert "hunter2" not in out.getvalue()


def test_api_keys_are_told_by_their_look(out: io.StringIO) -> None:
    """Their id may be read, which says what to revoke; their secret not."""
    prefix, secret = f"dt_{'0a' * 16}", "beef" * 14
    get_logger("kettle").info("odd_request", body=f'{{"x": "{prefix}_{secret}"}}')
    assert prefix in out.getvalue()
    assert "beef" not in out.getvalue()


def test_event_names_its_trace(out: io.StringIO) -> None:
    """Logs and traces of one call find each other."""
    span = trace.NonRecordingSpan(trace.SpanContext(0xABC, 0xDEF, is_remote=False))
    token = otel_context.attach(trace.set_span_in_context(span))
    get_logger("kettle").info("boiled")
    logging.getLogger("library").warning("odd")
    otel_context.detach(token)
    assert {event["trace_id"] for event in lines(out)} == {f"{0xABC:032x}"}
    assert {event["span_id"] for event in lines(out)} == {f"{0xDEF:016x}"}
