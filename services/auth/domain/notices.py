"""What auth writes to people about what was done in their name."""

import uuid
from datetime import datetime

from services.auth.domain.api_keys import ApiKey
from services.auth.domain.credentials import Credential, Language
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

_API_KEYS: Letters = {
    Language.ENGLISH: Letter(
        "A DashTrack API key was made in your name",
        """
        Hello,

        on $at UTC an API key was made with the account $email. Whoever has it can call
        DashTrack until $until UTC, without a password.

        Name: $name

        Role and scopes: $powers

        Begins with: $prefix

        Made from: $address

        If it was not you, revoke the key, change your password and end all your sessions.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "Foi criada uma chave de API do DashTrack em seu nome",
        """
        Olá,

        em $at UTC foi criada uma chave de API com a conta $email. Quem a tiver pode usar o
        DashTrack até $until UTC, sem palavra-passe.

        Nome: $name

        Função e âmbitos: $powers

        Começa por: $prefix

        Criada a partir de: $address

        Se não foi você, revogue a chave, altere a palavra-passe e termine todas as
        sessões.
        """,
    ),
}
_PASSWORD_CHANGES: Letters = {
    Language.ENGLISH: Letter(
        "You have a new DashTrack password",
        """
        Hello,

        on $at UTC the password of $email was changed by somebody who was logged in and
        knew the one before. All other sessions were ended.

        Changed from: $address

        If it was not you, ask for a new password at once, and tell an administrator of
        your company.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "Tem uma nova palavra-passe do DashTrack",
        """
        Olá,

        em $at UTC a palavra-passe de $email foi alterada por alguém que tinha sessão
        iniciada e conhecia a anterior. Todas as outras sessões foram terminadas.

        Alterada a partir de: $address

        Se não foi você, peça já uma nova palavra-passe e avise um administrador da sua
        empresa.
        """,
    ),
}
_AUTHENTICATORS_ON: Letters = {
    Language.ENGLISH: Letter(
        "Your DashTrack account has an authenticator",
        """
        Hello,

        on $at UTC an authenticator was turned on for $email. From now on, logging in takes
        a code that it shows.

        If it was not you, somebody knows your password: tell an administrator of your
        company at once, who can deactivate the account.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "A sua conta do DashTrack tem um autenticador",
        """
        Olá,

        em $at UTC foi ativado um autenticador para $email. A partir de agora, iniciar
        sessão exige um código que ele mostra.

        Se não foi você, alguém conhece a sua palavra-passe: avise já um administrador da
        sua empresa, que pode desativar a conta.
        """,
    ),
}
_AUTHENTICATORS_OFF: Letters = {
    Language.ENGLISH: Letter(
        "Your DashTrack account has no authenticator any more",
        """
        Hello,

        on $at UTC the authenticator of $email was turned off, with the password and a code.
        From now on, the password alone is enough to log in.

        If it was not you, change your password at once, end all your sessions, and turn an
        authenticator on again.
        """,
    ),
    Language.PORTUGUESE: Letter(
        "A sua conta do DashTrack já não tem autenticador",
        """
        Olá,

        em $at UTC o autenticador de $email foi desativado, com a palavra-passe e um código.
        A partir de agora, basta a palavra-passe para iniciar sessão.

        Se não foi você, altere já a palavra-passe, termine todas as sessões e volte a
        ativar um autenticador.
        """,
    ),
}


def api_key_mail(mail_id: uuid.UUID, maker: Credential, api_key: ApiKey, origin: Origin) -> Mail:
    """Write the mail that tells a person of a key that was made in their name."""
    values = {
        "name": api_key.display_name,
        "powers": f"{api_key.role}: {', '.join(api_key.scopes)}",
        "prefix": api_key.prefix,
        "until": minute(api_key.expires_at),
        "address": origin.address,
    }
    return _notice(_API_KEYS, mail_id, maker, api_key.created_at, values)


def password_changed_mail(
    mail_id: uuid.UUID, owner: Credential, origin: Origin, at: datetime
) -> Mail:
    """Write the mail that tells a person that their password was changed from a session."""
    return _notice(_PASSWORD_CHANGES, mail_id, owner, at, {"address": origin.address})


def authenticator_mail(mail_id: uuid.UUID, owner: Credential, at: datetime, *, on: bool) -> Mail:
    """Write the mail that tells a person that their authenticator was turned on, or off."""
    return _notice(_AUTHENTICATORS_ON if on else _AUTHENTICATORS_OFF, mail_id, owner, at, {})


def _notice(
    letters: Letters, mail_id: uuid.UUID, to: Credential, at: datetime, values: dict[str, str]
) -> Mail:
    address = Address(to.email, to.language)
    values = {"email": to.email, "at": minute(at), **values}
    return write(letters, mail_id, address, values, expires_at=at + NOTICE_USEFUL_FOR)
