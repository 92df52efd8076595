"""What auth writes to people when something may be wrong with their account."""

import uuid
from datetime import datetime

from services.auth.domain.credentials import Credential, Language
from services.auth.domain.devices import device_label
from services.auth.domain.mails import Mail
from services.auth.domain.sessions import Origin
from services.auth.domain.writing import (
    NOTICE_USEFUL_FOR,
    Address,
    Letter,
    Letters,
    minute,
    write,
)

_REUSES: Letters = {
    Language.ENGLISH: Letter(
        "A DashTrack session of yours was ended",
        """
        Hello,

        on $at UTC somebody used a refresh token of a session of $email that had been used
        before. So two programs hold what only one should have, and the session was ended.

        Address: $address

        Program: $device

        If a program of yours has sent it twice, for instance after a lost connection, log
        in again and forget this mail. If you know neither address nor program, somebody
        may have copied your session: change your password, and end all your sessions.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "Uma sessão sua do DashTrack foi terminada",
        """
        Olá,

        em $at UTC alguém usou um token de renovação de uma sessão de $email que já tinha
        sido usado. Há, portanto, dois programas com o que só um devia ter, e a sessão foi
        terminada.

        Endereço: $address

        Programa: $device

        Se um programa seu o enviou duas vezes, por exemplo após uma falha de ligação,
        inicie sessão de novo e ignore esta mensagem. Se não reconhece o endereço nem o
        programa, alguém pode ter copiado a sua sessão: altere a palavra-passe e termine
        todas as sessões.
        """,
    ),
}


def reuse_mail(mail_id: uuid.UUID, owner: Credential, origin: Origin, at: datetime) -> Mail:
    """Write the mail that tells a person that a refresh token was used twice, and from where."""
    values = {
        "email": owner.email,
        "at": minute(at),
        "address": origin.address,
        "device": device_label(origin.user_agent) or "?",
    }
    to = Address(owner.email, owner.language)
    return write(_REUSES, mail_id, to, values, expires_at=at + NOTICE_USEFUL_FOR)
