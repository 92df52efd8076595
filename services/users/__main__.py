"""Runs the service: `python -m services.users`; with `settings` it prints what can be set."""

import sys
from pathlib import Path

from services.chassis.service import run
from services.chassis.settings import print_settings
from services.users.app import build
from services.users.settings import UsersSettings

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"

if __name__ == "__main__":
    if sys.argv[1:] == ["settings"]:
        print_settings(UsersSettings)
    else:
        run("users", UsersSettings(), build, migrations=MIGRATIONS)
