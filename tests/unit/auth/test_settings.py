"""What the service refuses to start with."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.auth.adapters.smtp import SmtpServer
from services.auth.settings import AuthSettings

VALUES: dict[str, Any] = {
    "database_url": "postgresql+asyncpg://auth:p@127.0.0.1/auth",
    "nats_password": "a-password-for-nats",
    "service_secret": "the-secret-of-auth",
    "encryption_key": "0123456789abcdef0123456789abcdef",
    "service_secrets": {"users": "the-secret-of-users"},
    "mailbox_dir": Path("mail"),
}


def test_secrets_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable names all services; auth's own secret is its service_secret."""
    monkeypatch.setenv("DASHTRACK_AUTH_SERVICE_SECRETS", '{"users": "one", "telemetry": "two"}')
    values = {name: value for name, value in VALUES.items() if name != "service_secrets"}

    settings = AuthSettings(**values)

    assert settings.plain_service_secrets == {
        "users": "one",
        "telemetry": "two",
        "auth": "the-secret-of-auth",
    }


def test_nothing_secret_is_printed() -> None:
    """Neither in a representation nor in a dump."""
    settings = AuthSettings(
        **VALUES, bootstrap_email="root@example.com", bootstrap_password="first password"
    )

    for secret in ("the-secret-of-users", "0123456789abcdef", "first password"):
        assert secret not in repr(settings)
        assert secret not in str(settings.model_dump())


@pytest.mark.parametrize(
    "wrong",
    [
        {"encryption_key": "too short"},
        {"encryption_key": "changeme"},
        {"service_secrets": {"users": "secret"}},
        {"bootstrap_email": "root@example.com"},
        {"bootstrap_password": "without an address"},
        {"upkeep_interval_s": 400},
        {"mailbox_dir": None},
        {"smtp_host": "mail.example", "smtp_user": "dashtrack"},
        {
            "smtp_host": "mail.example",
            "smtp_user": "dashtrack",
            "smtp_password": "the password there",
            "smtp_security": "none",
        },
        {"mail_sender": "no address"},
        {"mail_sender": "DashTrack <a@example.com>\r\nBcc: eve@example.com"},
    ],
)
def test_placeholders_and_contradictions_are_refused(wrong: dict[str, Any]) -> None:
    """The service says so at the start, instead of working badly later."""
    with pytest.raises(ValidationError):
        AuthSettings(**(VALUES | wrong))


def test_a_key_signs_only_after_two_refreshes() -> None:
    """The overlap follows from how old a copy of the key set may be."""
    settings = AuthSettings(**VALUES, jwks_refresh_interval_s=120)

    assert settings.rotation.overlap.total_seconds() == 240


def test_a_mail_server_is_preferred_to_a_folder() -> None:
    """The folder is for machines that have none."""
    assert AuthSettings(**VALUES).mail_target == VALUES["mailbox_dir"]

    server = AuthSettings(**VALUES, smtp_host="mail.example").mail_target

    assert isinstance(server, SmtpServer)
    assert (server.host, server.port, server.security) == ("mail.example", 587, "starttls")
