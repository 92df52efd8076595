"""Runs the service: `python -m services.companies`; with `settings` it prints what can be set."""

import sys
from pathlib import Path

from services.chassis.service import run
from services.chassis.settings import print_settings
from services.companies.app import build
from services.companies.settings import CompaniesSettings

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"

if __name__ == "__main__":
    if sys.argv[1:] == ["settings"]:
        print_settings(CompaniesSettings)
    else:
        run("companies", CompaniesSettings(), build, migrations=MIGRATIONS)
