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


_EMAIL_CHANGES: Letters = {
    Language.ENGLISH: Letter(
        "Your DashTrack e-mail address was changed",
        """
        Hello,

        on $at UTC the e-mail address of your account was changed from $email to $new.
        From now on you log in with the new one, and mail goes there.

        If it was not you, somebody knows your password: tell an administrator of your
        company at once, who can deactivate the account.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "O seu endereço de correio no DashTrack foi alterado",
        """
        Olá,

        em $at UTC o endereço de correio da sua conta foi alterado de $email para $new. A
        partir de agora inicia sessão com o novo, e as mensagens seguem para lá.

        Se não fez esta alteração, alguém conhece a sua palavra-passe: avise já um
        administrador da sua empresa, que pode desativar a conta.
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


def email_changed_mail(
    mail_id: uuid.UUID, owner: Credential, old_email: str, new_email: str, at: datetime
) -> Mail:
    """Write the mail that tells the earlier address of a person that they have another."""
    values = {"email": old_email, "new": new_email, "at": minute(at)}
    to = Address(old_email, owner.language)
    return write(_EMAIL_CHANGES, mail_id, to, values, expires_at=at + NOTICE_USEFUL_FOR)
