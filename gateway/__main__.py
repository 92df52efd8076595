"""The command line: `python -m gateway render --env laptop --out DIR`, and others."""

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import contract, openapi
from gateway.draining import drain
from gateway.environments import ENVIRONMENTS
from gateway.render import render
from gateway.roles import permission_table

PERMISSIONS = Path(__file__).with_name("PERMISSIONS.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(required=True)
    rendering = commands.add_parser("render", help="write Envoy's configuration for an environment")
    rendering.add_argument("--env", choices=list(ENVIRONMENTS), required=True)
    rendering.add_argument("--out", type=Path, required=True, metavar="DIR")
    rendering.add_argument(
        "--read-at", type=Path, metavar="DIR", help="where Envoy will find the folder"
    )
    rendering.set_defaults(run=_render)
    describing = commands.add_parser("openapi", help="print the OpenAPI document")
    describing.set_defaults(run=_openapi)
    permitting = commands.add_parser("permissions", help=f"write {PERMISSIONS.name}")
    permitting.set_defaults(run=_permissions)
    draining = commands.add_parser("drain", help="take a gateway out of service, then SIGTERM it")
    draining.add_argument("--admin-host", default="127.0.0.1")
    draining.add_argument("--admin-port", type=int, default=9901)
    draining.add_argument("--wait-s", type=float, default=10.0)
    draining.set_defaults(run=_drain)
    return parser


def _render(options: argparse.Namespace) -> int:
    command = render(ENVIRONMENTS[options.env](), options.out, read_at=options.read_at)
    sys.stdout.write(shlex.join(command) + "\n")
    return 0


def _openapi(_: argparse.Namespace) -> int:
    sys.stdout.write(openapi.document_bytes(contract.load()).decode())
    return 0


def _permissions(_: argparse.Namespace) -> int:
    PERMISSIONS.write_text(permission_table(contract.public_rpcs(contract.load())), "utf-8")
    return 0


def _drain(options: argparse.Namespace) -> int:
    running = asyncio.run(drain(options.admin_host, options.admin_port, wait_s=options.wait_s))
    if running:
        sys.stderr.write(f"{running} requests still run\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
