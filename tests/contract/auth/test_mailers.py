"""What every mailer does."""

import mailbox
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from services.auth.adapters.maildir import MaildirMailer
from services.auth.domain.mails import Mail
from services.auth.ports import Mailer
from tests.fixtures.auth_fakes import FakeClock, FakeMailer


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mailer, and the recipients of what it has delivered."""

    mailer: Mailer
    recipients: Callable[[], Sequence[str]]


@pytest.fixture(params=["fake", "maildir"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> Delivery:
    """The adapter under test."""
    if request.param == "fake":
        fake = FakeMailer()
        return Delivery(fake, lambda: [mail.recipient for mail in fake.sent.values()])
    folder = tmp_path / "mail"
    mailer = MaildirMailer(folder, FakeClock())
    return Delivery(mailer, lambda: [str(mail["To"]) for mail in delivered(folder)])


def a_mail(recipient: str = "ada@example.com") -> Mail:
    """Make a mail."""
    return Mail(
        uuid.uuid4(), recipient, "Grüße", "Código: 42\n", "<p>Código: 42</p>\n", (("X-Code", "42"),)
    )


def delivered(folder: Path) -> list[EmailMessage]:
    """Read a mailbox as any mail program would."""
    box = mailbox.Maildir(folder, create=False)
    parser = BytesParser(EmailMessage, policy=policy.default)
    try:
        return [parser.parsebytes(box.get_bytes(key)) for key in box.keys()]  # noqa: SIM118
    finally:
        box.close()


async def test_each_mail_is_delivered(delivery: Delivery) -> None:
    """Two that say the same are two."""
    await delivery.mailer.send(a_mail())
    await delivery.mailer.send(a_mail())

    assert list(delivery.recipients()) == ["ada@example.com"] * 2


async def test_a_mail_sent_again_is_delivered_once(delivery: Delivery) -> None:
    """Whoever isn't sure that it went out sends it again."""
    mail = a_mail()
    await delivery.mailer.send(mail)
    await delivery.mailer.send(mail)

    assert len(delivery.recipients()) == 1


async def test_a_mail_that_was_read_is_not_delivered_again(tmp_path: Path) -> None:
    """A mail program moves what it has shown, and marks it."""
    mailer, mail = MaildirMailer(tmp_path, FakeClock()), a_mail()
    await mailer.send(mail)
    name = str(mail.mail_id)
    (tmp_path / "new" / name).rename(tmp_path / "cur" / f"{name}:2,S")

    await mailer.send(mail)

    assert len(delivered(tmp_path)) == 1


async def test_a_delivered_mail_says_what_it_should(tmp_path: Path) -> None:
    """Text and headers arrive, whichever letters they hold, and only the owner may read them."""
    mail = a_mail("jörg@müller.example")
    await MaildirMailer(tmp_path, FakeClock()).send(mail)

    (message,) = delivered(tmp_path)
    assert message["To"] == "jörg@müller.example"
    assert message["Subject"] == "Grüße"
    assert message["X-Code"] == "42"
    assert message["Message-ID"] == f"<{mail.mail_id}@dashtrack.invalid>"
    bodies = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert message.get_content_type() == "multipart/alternative"
    assert bodies == {"text/plain": "Código: 42\n", "text/html": "<p>Código: 42</p>\n"}
    assert (tmp_path / "new" / str(mail.mail_id)).stat().st_mode & 0o077 == 0
