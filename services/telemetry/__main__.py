"""Runs the service: `python -m services.telemetry`; with `settings` it prints what can be set."""

from services.chassis.service import main
from services.telemetry.app import build
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage import MIGRATIONS

if __name__ == "__main__":
    main("telemetry", TelemetrySettings, build, migrations=MIGRATIONS)
