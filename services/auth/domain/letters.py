"""What auth writes to people, in their language.

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

from services.auth.domain.credentials import Credential, Language, PersonChange
from services.auth.domain.mails import INVITATION_CODE_HEADER, RESET_CODE_HEADER, Mail

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
_NOTICE_USEFUL_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A template in one language: paragraphs, of which `$code` is one that is set apart."""

    subject: str
    body: str

    @property
    def paragraphs(self) -> list[str]:
        return [" ".join(paragraph.split()) for paragraph in self.body.split("\n\n")]

    def text(self, values: Mapping[str, str]) -> str:
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


_INVITATIONS: Mapping[Language, _Letter] = {
    Language.ENGLISH: _Letter(
        "Your invitation to DashTrack",
        """
        Hello $name,

        you have been invited to DashTrack. To set your password, enter this code where
        you were told to log in:

        $code

        It works once, until $until UTC.

        If you did not expect this mail, you can ignore it.
        """,
    ),
    Language.PORTUGUESE: _Letter(
        "O seu convite para o DashTrack",
        """
        Olá $name,

        recebeu um convite para o DashTrack. Para definir a sua palavra-passe, introduza
        este código onde lhe indicaram que iniciasse sessão:

        $code

        Funciona uma única vez, até $until UTC.

        Se não esperava esta mensagem, pode ignorá-la.
        """,
    ),
}
_RESETS: Mapping[Language, _Letter] = {
    Language.ENGLISH: _Letter(
        "Set a new DashTrack password",
        """
        Hello,

        somebody, probably you, asked for a new password for $email. This code sets it:

        $code

        It works once, until $until UTC. Nobody from DashTrack will ever ask you for it.

        If it was not you, you can ignore this mail: your password stays as it is.
        """,
    ),
    Language.PORTUGUESE: _Letter(
        "Definir uma nova palavra-passe do DashTrack",
        """
        Olá,

        recebemos um pedido de nova palavra-passe para $email. Este código permite defini-
        la:

        $code

        Funciona uma única vez, até $until UTC. Ninguém do DashTrack lho pedirá alguma
        vez.

        Se não fez este pedido, pode ignorar esta mensagem: a sua palavra-passe não muda.
        """,
    ),
}
_RESET_NOTICES: Mapping[Language, _Letter] = {
    Language.ENGLISH: _Letter(
        "Your DashTrack password was changed",
        """
        Hello,

        the password of $email was set anew on $at UTC, with a code that had been mailed
        to this address. All sessions were ended; log in again with the new password.

        If it was not you, somebody can read your mail: secure your mailbox first, then
        ask for a new password.
        """,
    ),
    Language.PORTUGUESE: _Letter(
        "A sua palavra-passe do DashTrack foi alterada",
        """
        Olá,

        a palavra-passe de $email foi redefinida em $at UTC, com um código enviado para
        este endereço. Todas as sessões foram terminadas; inicie sessão com a nova
        palavra-passe.

        Se não fez esta alteração, alguém consegue ler o seu correio: proteja primeiro a
        sua caixa de correio e depois peça uma nova palavra-passe.
        """,
    ),
}


def invitation_mail(
    mail_id: uuid.UUID, person: PersonChange, code: str, expires_at: datetime
) -> Mail:
    """Write the mail that invites a person."""
    letter = _INVITATIONS[person.language]
    values = {"name": person.display_name, "code": code, "until": _minute(expires_at)}
    return Mail(
        mail_id=mail_id,
        recipient=person.email,
        subject=letter.subject,
        text=letter.text(values),
        html=letter.html(person.language, values),
        headers=((INVITATION_CODE_HEADER, code),),
        expires_at=expires_at,
    )


def reset_mail(mail_id: uuid.UUID, owner: Credential, code: str, expires_at: datetime) -> Mail:
    """Write the mail that brings a person the code for a new password."""
    letter = _RESETS[owner.language]
    values = {"email": owner.email, "code": code, "until": _minute(expires_at)}
    return Mail(
        mail_id=mail_id,
        recipient=owner.email,
        subject=letter.subject,
        text=letter.text(values),
        html=letter.html(owner.language, values),
        headers=((RESET_CODE_HEADER, code),),
        expires_at=expires_at,
    )


def reset_notice_mail(mail_id: uuid.UUID, owner: Credential, at: datetime) -> Mail:
    """Write the mail that tells a person that their password was set anew."""
    letter = _RESET_NOTICES[owner.language]
    values = {"email": owner.email, "at": _minute(at)}
    return Mail(
        mail_id=mail_id,
        recipient=owner.email,
        subject=letter.subject,
        text=letter.text(values),
        html=letter.html(owner.language, values),
        expires_at=at + _NOTICE_USEFUL_FOR,
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
