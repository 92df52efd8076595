"""Entry of the detached supervisor process: `python -m services.stack.supervise`."""

import asyncio
import logging
import sys

from services.stack.credentials import load_credentials
from services.stack.layout import Layout
from services.stack.settings import StackSettings
from services.stack.supervisor import ALREADY_RUNNING, Supervisor, exclusive_lock
from services.stack.topology import build_parts


async def _run(settings: StackSettings, layout: Layout) -> bool:
    parts = build_parts(settings, layout, load_credentials(layout.secrets))
    return await Supervisor(parts, settings, layout).run()


def main() -> int:
    """Supervise until told to stop; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = StackSettings()
    layout = Layout(settings.state_dir)
    layout.make()
    with exclusive_lock(layout) as ours:
        if not ours:
            return ALREADY_RUNNING
        return 0 if asyncio.run(_run(settings, layout)) else 1


if __name__ == "__main__":
    sys.exit(main())
