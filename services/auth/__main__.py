"""Runs the service: `python -m services.auth`; with `settings` it prints what can be set.

`python -m services.auth rotate-keys` publishes the next signing key beside the running service.
"""

from prometheus_client import CollectorRegistry

from services.auth.app import build, make_key_rotation
from services.auth.settings import AuthSettings
from services.auth.storage import MIGRATIONS
from services.chassis.database import Database
from services.chassis.service import main


async def rotate_keys(settings: AuthSettings) -> str:
    """Publish the next signing key, unless there is one; say which it is."""
    database = Database(settings, "auth", CollectorRegistry())
    try:
        key = await make_key_rotation(database, settings).rotate()
    finally:
        await database.close()
    return f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC"


if __name__ == "__main__":
    main(
        "auth",
        AuthSettings,
        build,
        migrations=MIGRATIONS,
        commands={"rotate-keys": rotate_keys},
    )
