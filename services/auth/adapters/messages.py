"""Mails as messages of the Internet (RFC 5322)."""

from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from services.auth.domain.mails import Mail

# Addresses may hold any letter (RFC 6532).
_POLICY = policy.default.clone(utf8=True)


def compose(mail: Mail, sender: str, now: datetime) -> EmailMessage:
    """Write a mail out, as plain text with HTML for those who prefer it.

    Its id makes the Message-ID: a mail that is sent again can be recognised.
    """
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail.mail_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    # Keeps holiday replies away (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    for name, value in mail.headers:
        message[name] = value
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message
