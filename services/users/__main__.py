"""Runs the service: `python -m services.users`; with `settings` it prints what can be set."""

from services.chassis.service import main
from services.users.app import build
from services.users.settings import UsersSettings
from services.users.storage import MIGRATIONS

if __name__ == "__main__":
    main("users", UsersSettings, build, migrations=MIGRATIONS)
