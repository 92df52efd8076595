"""Logs: one JSON object a line on standard output, whoever wrote it, with secrets taken out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace

_SECRET_KEY = re.compile(
    r"password|passwd|secret|token|authorization|credential|cookie|api_?key|private_?key",
    re.IGNORECASE,
)
_SECRET_TEXTS = (
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), r"\1 [redacted]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "[redacted]"),
    # API keys: their id may be read, their secret not.
    (re.compile(r"(?i)\b(dt_[0-9a-f]{32})_[0-9a-f]+"), r"\1_[redacted]"),
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+@"), r"\1[redacted]@"),
    # PostgreSQL quotes the row that broke a constraint, whatever is in it.
    (re.compile(r"(?m)^(DETAIL:).*"), r"\1 [redacted]"),
)
_REDACTED = "[redacted]"

# These repeat what the chassis logs itself, or talk on every call.
_QUIET_LOGGERS = ("aiohttp.access", "grpc", "asyncio", "alembic.runtime.plugins", "nats")


def get_logger(name: str) -> Any:
    """Return the logger for a module; events are named in snake_case, facts go into keywords."""
    return structlog.stdlib.get_logger(name)


def configure_logs(service: str, level: str, out: TextIO | None = None) -> None:
    """Send structlog's events and the standard library's records to one stream of JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _ServiceName(service),
        _add_trace,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of an event: by the name of the key, and by the look of the text."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _redacted(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool):
        return _REDACTED
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXTS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {name: _redacted(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(key, inner) for inner in value]
    return value


class _ServiceName:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(
        self, _: Any, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = self._service
        return event


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
