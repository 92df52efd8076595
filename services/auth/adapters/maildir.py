"""Mail into a Maildir folder, which every mail program and Python's `mailbox` can read."""

import asyncio
import os
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from services.auth.domain.mails import Mail
from services.auth.ports import Clock

# Addresses may hold any letter (RFC 6532).
_POLICY = policy.default.clone(utf8=True)
_SENDER = "DashTrack <no-reply@dashtrack.invalid>"


class MaildirMailer:
    """Delivers each mail as a file that is named after it, so that none is there twice."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        """Deliver a mail; the same mail sent again is delivered once."""
        await asyncio.to_thread(self._deliver, mail)

    def _deliver(self, mail: Mail) -> None:
        for part in ("tmp", "new", "cur"):
            (self._folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        name = str(mail.mail_id)
        # A reader moves what it has seen from new/ to cur/ and adds flags to the name.
        read = self._folder.joinpath("cur").glob(f"{name}*")
        if (self._folder / "new" / name).exists() or any(read):
            return
        unfinished = self._folder / "tmp" / name
        # Codes are for the recipient only, and a mail is there whole or not at all.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._message(mail).as_bytes())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / "new" / name)

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(_POLICY)
        message["From"] = _SENDER
        message["To"] = mail.recipient
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = f"<{mail.mail_id}@dashtrack.invalid>"
        for name, value in mail.headers:
            message[name] = value
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        return message
