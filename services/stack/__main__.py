"""`python -m services.stack up | demo | status | logs | down`: the whole system on this machine."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from services.stack import logs
from services.stack.layout import Layout
from services.stack.lifecycle import down, up
from services.stack.settings import StackSettings
from services.stack.status import read_status, status_table

_LINES_SHOWN = 50


def _status(settings: StackSettings) -> int:
    status = read_status(Layout(settings.state_dir).status)
    if status is None or not status.supervisor.alive:
        print("DashTrack is not running.")
        return 1
    print(f"DashTrack is {status.phase} (supervisor {status.supervisor.pid}).")
    if not status.fresh(settings.silence_s):
        print("The supervisor does not respond: what follows is old.")
    print(status_table(status))
    return 0 if status.healthy else 1


def _logs(settings: StackSettings, part: str | None, *, follow: bool) -> int:
    layout = Layout(settings.state_dir)
    known = {path.stem: path for path in sorted(layout.logs.glob("*.log"))}
    if part is not None and part not in known:
        print(f"There is no log of {part}; there are: {', '.join(known)}", file=sys.stderr)
        return 1
    chosen = known if part is None else {part: known[part]}
    # Piped into `head`, it ends with it and says nothing.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            logs.follow(chosen, _LINES_SHOWN)
    else:
        for name, path in chosen.items():
            logs.print_lines(name if len(chosen) > 1 else "", logs.tail(path, _LINES_SHOWN))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything and wait until it is healthy")
    demo_parser = commands.add_parser("demo", help="fill the running stack and show it at work")
    demo_parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long boards upload live (default: 20)"
    )
    commands.add_parser("down", help="stop everything in order")
    commands.add_parser("status", help="show every part")
    log_parser = commands.add_parser("logs", help="show the end of the logs")
    log_parser.add_argument("part", nargs="?", help="one part only")
    log_parser.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    chosen = parser.parse_args(arguments)
    try:
        settings = StackSettings()
    except ValidationError as err:
        print(f"The settings are wrong: {err}", file=sys.stderr)
        return 2
    match chosen.command:
        case "up":
            return up(settings)
        case "down":
            return down(settings)
        case "demo":
            # Imported here: the other commands start faster without numpy and an HTTP client.
            from services.stack.demo.command import demo  # noqa: PLC0415

            return demo(settings, chosen.seconds)
        case "status":
            return _status(settings)
        case _:
            return _logs(settings, chosen.part, follow=chosen.follow)


if __name__ == "__main__":
    sys.exit(main())
