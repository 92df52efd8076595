"""Runs the service: `python -m services.companies`; with `settings` it prints what can be set."""

from services.chassis.service import main
from services.companies.app import build
from services.companies.settings import CompaniesSettings
from services.companies.storage import MIGRATIONS

if __name__ == "__main__":
    main("companies", CompaniesSettings, build, migrations=MIGRATIONS)
