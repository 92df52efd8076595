"""What auth writes to people who are invited or have forgotten their password."""

import uuid
from datetime import datetime

from services.auth.domain.credentials import Credential, Language, PersonChange
from services.auth.domain.mails import (
    EMAIL_CODE_HEADER,
    INVITATION_CODE_HEADER,
    RESET_CODE_HEADER,
    Mail,
)
from services.auth.domain.writing import (
    NOTICE_USEFUL_FOR,
    Address,
    Letter,
    Letters,
    minute,
    write,
)

_INVITATIONS: Letters = {
    Language.ENGLISH: Letter(
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
    Language.PORTUGUESE: Letter(
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
_RESETS: Letters = {
    Language.ENGLISH: Letter(
        "Set a new DashTrack password",
        """
        Hello,

        somebody, probably you, asked for a new password for $email. This code sets it:

        $code

        It works once, until $until UTC. Nobody from DashTrack will ever ask you for it.

        If it was not you, you can ignore this mail: your password stays as it is.
        """,
    ),
    Language.PORTUGUESE: Letter(
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
_RESET_NOTICES: Letters = {
    Language.ENGLISH: Letter(
        "Your DashTrack password was changed",
        """
        Hello,

        the password of $email was set anew on $at UTC, with a code that had been mailed
        to this address. All sessions were ended; log in again with the new password.

        If it was not you, somebody can read your mail: secure your mailbox first, then
        ask for a new password.
        """,
    ),
    Language.PORTUGUESE: Letter(
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


_EMAIL_CODES: Letters = {
    Language.ENGLISH: Letter(
        "Confirm your e-mail address for DashTrack",
        """
        Hello,

        somebody, probably you, wants to log in to DashTrack with $email. This code
        confirms that you read mail at this address:

        $code

        Enter it where you asked for it. It works once, until $until UTC. Nobody from
        DashTrack will ever ask you for it.

        If it was not you, you can ignore this mail: nothing changes.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "Confirme o seu endereço de correio para o DashTrack",
        """
        Olá,

        alguém, provavelmente você, quer iniciar sessão no DashTrack com $email. Este
        código confirma que lê o correio deste endereço:

        $code

        Introduza-o onde o pediu. Funciona uma única vez, até $until UTC. Ninguém do
        DashTrack lho pedirá alguma vez.

        Se não fez este pedido, pode ignorar esta mensagem: nada muda.
        """,
    ),
}


def invitation_mail(
    mail_id: uuid.UUID, person: PersonChange, code: str, expires_at: datetime
) -> Mail:
    """Write the mail that invites a person."""
    return write(
        _INVITATIONS,
        mail_id,
        Address(person.email, person.language),
        {"name": person.display_name, "code": code, "until": minute(expires_at)},
        expires_at=expires_at,
        code_header=INVITATION_CODE_HEADER,
    )


def reset_mail(mail_id: uuid.UUID, owner: Credential, code: str, expires_at: datetime) -> Mail:
    """Write the mail that brings a person the code for a new password."""
    return write(
        _RESETS,
        mail_id,
        Address(owner.email, owner.language),
        {"email": owner.email, "code": code, "until": minute(expires_at)},
        expires_at=expires_at,
        code_header=RESET_CODE_HEADER,
    )


def reset_notice_mail(mail_id: uuid.UUID, owner: Credential, at: datetime) -> Mail:
    """Write the mail that tells a person that their password was set anew."""
    return write(
        _RESET_NOTICES,
        mail_id,
        Address(owner.email, owner.language),
        {"email": owner.email, "at": minute(at)},
        expires_at=at + NOTICE_USEFUL_FOR,
    )


def email_code_mail(
    mail_id: uuid.UUID, owner: Credential, email: str, code: str, expires_at: datetime
) -> Mail:
    """Write the mail that brings the code for an address to this address."""
    return write(
        _EMAIL_CODES,
        mail_id,
        Address(email, owner.language),
        {"email": email, "code": code, "until": minute(expires_at)},
        expires_at=expires_at,
        code_header=EMAIL_CODE_HEADER,
    )
