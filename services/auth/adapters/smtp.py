"""Mail over SMTP, to the server that the settings name."""

import enum
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import aiosmtplib

from services.auth.adapters.messages import compose
from services.auth.domain.mails import Mail
from services.auth.ports import Clock
from services.auth.ports.mails import MailUndeliverable

_PERMANENT_CODE_MIN = 500


class SmtpSecurity(enum.StrEnum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    security: SmtpSecurity
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout_s: float


class SmtpFailed(OSError):
    """The server could not be reached, or does not take the mail now."""


class SmtpMailer:
    """Hands mail over to a server, on a connection for each mail: there are few."""

    def __init__(self, server: SmtpServer, sender: str, clock: Clock) -> None:
        self._server = server
        self._sender = sender
        self._clock = clock
        self._tls = None
        if server.security is not SmtpSecurity.NONE:
            self._tls = ssl.create_default_context(cafile=server.ca_file)

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; sent again, it has the same Message-ID.

        Raises:
            MailUndeliverable: its recipient, or what it says, is refused for good.
            SmtpFailed: it may well be taken later.
        """
        server = self._server
        try:
            await aiosmtplib.send(
                compose(mail, self._sender, self._clock()),
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.security is SmtpSecurity.TLS,
                start_tls=server.security is SmtpSecurity.STARTTLS,
                tls_context=self._tls,
                timeout=server.timeout_s,
            )
        except (aiosmtplib.SMTPException, OSError) as err:
            if _is_permanent(err):
                raise MailUndeliverable(_reason(err)) from err
            raise SmtpFailed(_reason(err)) from err


def _is_permanent(err: Exception) -> bool:
    """Whether it is this mail that the server doesn't want, rather than this sender."""
    if isinstance(err, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= _PERMANENT_CODE_MIN for refused in err.recipients)
    if isinstance(err, aiosmtplib.SMTPDataError):
        return err.code >= _PERMANENT_CODE_MIN
    # An address that the server has no way to write to.
    return isinstance(err, aiosmtplib.SMTPNotSupported) and "SMTPUTF8" in err.message


def _reason(err: Exception) -> str:
    """Say what went wrong without what the server said, which may name people."""
    if isinstance(err, aiosmtplib.SMTPRecipientsRefused):
        codes = sorted({refused.code for refused in err.recipients})
        return f"the recipient was refused: {codes}"
    if isinstance(err, aiosmtplib.SMTPResponseException):
        return f"{type(err).__name__}: {err.code}"
    return type(err).__name__
