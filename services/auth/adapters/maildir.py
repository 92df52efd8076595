"""Mail into a Maildir folder, which every mail program and Python's `mailbox` can read."""

import asyncio
import os
from pathlib import Path

from services.auth.adapters.messages import compose
from services.auth.domain.mails import Mail
from services.auth.ports import Clock


class MaildirMailer:
    """Delivers each mail as a file that is named after it, so that none is there twice."""

    def __init__(self, folder: Path, sender: str, clock: Clock) -> None:
        self._folder = folder
        self._sender = sender
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
            file.write(compose(mail, self._sender, self._clock()).as_bytes())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / "new" / name)
