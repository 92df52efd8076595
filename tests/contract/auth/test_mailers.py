"""What every mailer does."""

import mailbox
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from services.auth.adapters.maildir import MaildirMailer
from services.auth.adapters.smtp import SmtpFailed, SmtpMailer, SmtpSecurity, SmtpServer
from services.auth.domain.mails import Mail
from services.auth.ports.mails import Mailer, MailUndeliverable
from tests.fixtures.auth_fakes import FakeClock, FakeMailer
from tests.fixtures.ports import reserved_ports
from tests.fixtures.smtp_server import BUSY, GONE, SmtpSite, running_smtp_server
from tests.gateway.certificates import self_signed

SENDER = "DashTrack <no-reply@dashtrack.example>"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mailer, and the recipients of what it has delivered, told apart by Message-ID."""

    mailer: Mailer
    recipients: Callable[[], Sequence[str]]


@pytest.fixture(scope="module")
def smtp_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpSite]:
    """A mail server that asks for nothing."""
    with running_smtp_server(tmp_path_factory.mktemp("smtp") / "box") as site:
        yield site


def smtp_mailer(site: SmtpSite, **more: Any) -> SmtpMailer:
    """Make a mailer that hands over to a server."""
    values: dict[str, Any] = {"host": "localhost", "port": site.port, "security": SmtpSecurity.NONE}
    return SmtpMailer(SmtpServer(**(values | {"timeout_s": 20.0} | more)), SENDER, FakeClock())


@pytest.fixture(params=["fake", "maildir", "smtp"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> Delivery:
    """The adapter under test."""
    if request.param == "fake":
        fake = FakeMailer()
        return Delivery(fake, lambda: [mail.recipient for mail in fake.sent.values()])
    if request.param == "smtp":
        site = request.getfixturevalue("smtp_site")
        before = {mail["Message-ID"] for mail in site.delivered()}
        return Delivery(smtp_mailer(site), lambda: recipients(site.delivered(), before))
    folder = tmp_path / "mail"
    mailer = MaildirMailer(folder, SENDER, FakeClock())
    return Delivery(mailer, lambda: recipients(delivered(folder), set()))


def recipients(messages: Sequence[EmailMessage], known: set[str]) -> list[str]:
    """Say whom messages are to, each once, except those that are known."""
    by_id = {message["Message-ID"]: str(message["To"]) for message in messages}
    return [recipient for message_id, recipient in by_id.items() if message_id not in known]


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
    """Whoever isn't sure that it went out sends it again, and it is known by its id."""
    mail = a_mail()
    await delivery.mailer.send(mail)
    await delivery.mailer.send(mail)

    assert len(delivery.recipients()) == 1


async def test_a_mail_that_was_read_is_not_delivered_again(tmp_path: Path) -> None:
    """A mail program moves what it has shown, and marks it."""
    mailer, mail = MaildirMailer(tmp_path, SENDER, FakeClock()), a_mail()
    await mailer.send(mail)
    name = str(mail.mail_id)
    (tmp_path / "new" / name).rename(tmp_path / "cur" / f"{name}:2,S")

    await mailer.send(mail)

    assert len(delivered(tmp_path)) == 1


def assert_says(message: EmailMessage, mail: Mail) -> None:
    """Text and headers have arrived, whichever letters they hold."""
    assert message["From"] == SENDER
    assert message["To"] == mail.recipient
    assert message["Subject"] == "Grüße"
    assert message["X-Code"] == "42"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{mail.mail_id}@dashtrack.example>"
    bodies = {
        part.get_content_type(): part.get_content().replace("\r", "")
        for part in message.iter_parts()
    }
    assert message.get_content_type() == "multipart/alternative"
    assert bodies == {"text/plain": mail.text, "text/html": mail.html}


async def test_a_delivered_file_says_what_it_should(tmp_path: Path) -> None:
    """And only the owner may read it."""
    mail = a_mail("jörg@müller.example")
    await MaildirMailer(tmp_path, SENDER, FakeClock()).send(mail)

    (message,) = delivered(tmp_path)
    assert_says(message, mail)
    assert (tmp_path / "new" / str(mail.mail_id)).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("recipient", ["ada@example.com", "jörg@müller.example"])
async def test_a_mail_handed_over_says_what_it_should(smtp_site: SmtpSite, recipient: str) -> None:
    """In the envelope as well."""
    mail = a_mail(recipient)
    await smtp_mailer(smtp_site).send(mail)

    (message,) = [
        message
        for message in smtp_site.delivered()
        if str(mail.mail_id) in str(message["Message-ID"])
    ]
    assert_says(message, mail)
    assert message["X-MailFrom"] == "no-reply@dashtrack.example"
    assert message["X-RcptTo"] == recipient


async def test_a_server_that_refuses_for_good_is_not_asked_again(smtp_site: SmtpSite) -> None:
    """And what it says, which may name people, is not repeated."""
    with pytest.raises(MailUndeliverable) as refused:
        await smtp_mailer(smtp_site).send(a_mail(f"ada@{GONE}"))

    assert "ada" not in str(refused.value)


async def test_a_server_that_is_busy_or_away_is_asked_again(smtp_site: SmtpSite) -> None:
    """Such a failure is one of the network, which passes."""
    with pytest.raises(SmtpFailed):
        await smtp_mailer(smtp_site).send(a_mail(f"ada@{BUSY}"))
    with reserved_ports(1) as (port,), pytest.raises(SmtpFailed):
        await smtp_mailer(smtp_site, port=port).send(a_mail())


async def test_mail_goes_encrypted_to_a_server_that_is_who_it_says(tmp_path: Path) -> None:
    """With the password, which nobody else gets; neither without STARTTLS nor to an impostor."""
    tls = self_signed(tmp_path)
    with running_smtp_server(tmp_path / "box", tls, "the password") as site:
        login = {"user": "dashtrack", "password": "the password"}
        trusted = {"security": SmtpSecurity.STARTTLS, "ca_file": tls.certificate}
        await smtp_mailer(site, **login, **trusted).send(a_mail())
        for wrong in (
            login | trusted | {"password": "another"},
            login | {"security": SmtpSecurity.STARTTLS},
            {"security": SmtpSecurity.NONE},
            login | {"security": SmtpSecurity.TLS},
        ):
            with pytest.raises(SmtpFailed):
                await smtp_mailer(site, **wrong).send(a_mail())

        assert len(site.delivered()) == 1
