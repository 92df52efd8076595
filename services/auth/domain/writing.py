"""How letters are written: templates in two languages, each rendered as text and as HTML.

A letter is written once; its plain text and its HTML are two renderings of the same paragraphs, so
that they can't say different things.
"""

import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from string import Template

from services.auth.domain.credentials import Language
from services.auth.domain.mails import Mail

_HTML = Template(
    """<!doctype html>
<html lang="$language">
<head><meta charset="utf-8"><title>$subject</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em">
$paragraphs
</body>
</html>
"""
)
_HTML_CODE = '<p style="font: bold 1.4em monospace; letter-spacing: 0.05em">$code</p>'
_TEXT_WIDTH = 76
NOTICE_USEFUL_FOR = timedelta(days=7)
"""How long it is worth trying to tell somebody what has happened."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A template in one language: paragraphs, of which `$code` is one that is set apart."""

    subject: str
    body: str

    @property
    def paragraphs(self) -> list[str]:
        """The body's paragraphs, each on one line."""
        return [" ".join(paragraph.split()) for paragraph in self.body.split("\n\n")]

    def text(self, values: Mapping[str, str]) -> str:
        """Write it as plain text."""
        filled = (
            f"    {values['code']}"
            if paragraph == "$code"
            else textwrap.fill(
                Template(paragraph).substitute(values),
                _TEXT_WIDTH,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for paragraph in self.paragraphs
        )
        return "\n\n".join(filled) + "\n"

    def html(self, language: Language, values: Mapping[str, str]) -> str:
        """Write it as HTML."""
        escaped = {name: escape(value) for name, value in values.items()}
        paragraphs = (
            _HTML_CODE if paragraph == "$code" else f"<p>{escape(paragraph)}</p>"
            for paragraph in self.paragraphs
        )
        return _HTML.substitute(
            language=language.value,
            subject=escape(self.subject),
            paragraphs=Template("\n".join(paragraphs)).substitute(escaped),
        )


Letters = Mapping[Language, Letter]
"""One letter in every language."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a letter goes, and the language it is read in."""

    email: str
    language: Language


def write(
    letters: Letters,
    mail_id: uuid.UUID,
    to: Address,
    values: Mapping[str, str],
    *,
    expires_at: datetime,
    code_header: str = "",
) -> Mail:
    """Write a letter to somebody; a code among its values is repeated in a header."""
    letter = letters[to.language]
    return Mail(
        mail_id=mail_id,
        recipient=to.email,
        subject=letter.subject,
        text=letter.text(values),
        html=letter.html(to.language, values),
        headers=((code_header, values["code"]),) if code_header else (),
        expires_at=expires_at,
    )


def minute(moment: datetime) -> str:
    """Write down a moment."""
    return f"{moment:%Y-%m-%d %H:%M}"
