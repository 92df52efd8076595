"""Runs the service: `python -m services.auth`; with `settings` it prints what can be set.

`python -m services.auth rotate-keys` publishes the next signing key beside the running service;
`verify-audit` verifies the audit log, of the database or of an exported file.
"""

from services.auth.app import build
from services.auth.commands import rotate_audit_key, rotate_keys, verify_audit
from services.auth.settings import AuthSettings
from services.auth.storage import MIGRATIONS
from services.chassis.service import main

if __name__ == "__main__":
    main(
        "auth",
        AuthSettings,
        build,
        migrations=MIGRATIONS,
        commands={
            "rotate-keys": rotate_keys,
            "rotate-audit-key": rotate_audit_key,
            "verify-audit": verify_audit,
        },
    )
