"""Renderings are a function of the settings, and what is kept of them is current."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import GatewaySettings, render
from gateway.__main__ import PERMISSIONS, main
from gateway.contract import load, public_rpcs
from gateway.environments import ENVIRONMENTS, laptop
from gateway.roles import permission_table
from gateway.settings import SERVICES
from tests.gateway import golden


def routes(folder: Path) -> list[dict[str, Any]]:
    """Return the routes of a rendering."""
    base = yaml.safe_load((folder / "base.yaml").read_text("utf-8"))
    filters = base["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    (host,) = filters[0]["typed_config"]["route_config"]["virtual_hosts"]
    found: list[dict[str, Any]] = host["routes"]
    return found


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laptop's rendering."""
    folder = tmp_path_factory.mktemp("rendered")
    render(laptop(), folder)
    return folder


def test_renderings_are_those_that_were_reviewed() -> None:
    """A change of the configuration shows in a diff: `python -m tests.gateway.golden` makes it."""
    for name, text in golden.renderings().items():
        assert text == (golden.FOLDER / name).read_text("utf-8"), name


def test_the_permission_table_is_current() -> None:
    """`python -m gateway permissions` writes it."""
    assert PERMISSIONS.read_text("utf-8") == permission_table(public_rpcs(load()))


def test_the_same_settings_render_the_same(rendered: Path, tmp_path: Path) -> None:
    """Nothing depends on the time, on chance, or on the order of a set."""
    render(laptop(), tmp_path, read_at=rendered)

    files = [file.relative_to(rendered) for file in rendered.rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        assert (tmp_path / file).read_bytes() == (rendered / file).read_bytes()


def test_every_rpc_has_one_route_that_forwards(rendered: Path) -> None:
    """None is forgotten, and none leads to another service than its owner."""
    forwarding = {
        route["match"].get("path"): (route["name"], route["route"]["cluster"])
        for route in routes(rendered)
        if route.get("route", {}).get("cluster", "nowhere") in SERVICES
    }

    for rpc in public_rpcs(load()):
        assert forwarding[rpc.path] == (rpc.label, rpc.owner)


def test_every_call_ends_but_those_without_an_end(rendered: Path) -> None:
    """The contract's deadline is given to calls without one, and cuts those with a longer one."""
    by_name = {route["name"]: route for route in routes(rendered) if "grpc-timeout" in str(route)}

    for rpc in public_rpcs(load()):
        assert (rpc.label in by_name) != rpc.unbounded
        if rpc.unbounded:
            continue
        route = by_name[rpc.label]
        (added,) = route["request_headers_to_add"]
        assert added["header"]["value"] == f"{rpc.deadline_ms}m"
        limit_s = float(route["route"]["timeout"].removesuffix("s"))
        assert limit_s == rpc.deadline_ms / 1000 + 0.5
        cut = route["route"]["max_stream_duration"]["grpc_timeout_header_max"]
        assert cut == route["route"]["timeout"]


def test_only_calls_without_effects_or_with_the_same_are_tried_again(rendered: Path) -> None:
    """The contract says which they are."""
    retried = {route["name"] for route in routes(rendered) if "retry_policy" in str(route)}

    assert retried == {
        rpc.label for rpc in public_rpcs(load()) if rpc.idempotent and not rpc.server_streaming
    }


def test_only_what_says_so_is_open_without_a_token(rendered: Path) -> None:
    """Of what forwards to an RPC, exactly the public ones switch the check off."""
    public = {rpc.label for rpc in public_rpcs(load()) if rpc.public}
    open_routes = {
        route["name"]
        for route in routes(rendered)
        if route["typed_per_filter_config"].get("envoy.filters.http.jwt_authn", {}).get("disabled")
        and route.get("route", {}).get("cluster") in SERVICES
    }

    own = {name for name in open_routes if name.startswith("grpc.")}
    assert open_routes - own == public


def test_clusters_stand_in_the_overlay_alone(rendered: Path) -> None:
    """Merging appends lists, so a cluster in both files would be there twice."""
    base = yaml.safe_load((rendered / "base.yaml").read_text("utf-8"))
    overlay = yaml.safe_load((rendered / "overlay.yaml").read_text("utf-8"))

    assert "clusters" not in base["static_resources"]
    assert "admin" not in base
    assert overlay.keys() == {"admin", "static_resources"}
    assert overlay["static_resources"].keys() == {"clusters"}


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_the_admin_interface_is_on_loopback(name: str) -> None:
    """Whoever reaches it can stop the gateway."""
    assert ENVIRONMENTS[name]().admin_host == "127.0.0.1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"services": {}},
        {"trace_sample_ratio": 1.5},
        {"otlp_endpoint": "collector:4317"},
        {"otlp_endpoint": "https://collector"},
    ],
    ids=["services", "ratio", "endpoint", "scheme"],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    """At rendering, not when the first request comes."""
    usual = {"services": laptop().services}

    with pytest.raises(ValueError, match=r"."):
        render(GatewaySettings(**(usual | wrong)), tmp_path)


def test_the_command_line_renders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the command that starts Envoy where the files will be."""
    main(["render", "--env", "compose", "--out", str(tmp_path), "--read-at", "/etc/envoy"])

    assert "--config-path /etc/envoy/base.yaml" in capsys.readouterr().out
    assert (tmp_path / "descriptor.binpb").stat().st_size > 10_000
