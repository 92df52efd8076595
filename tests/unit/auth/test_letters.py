"""What auth writes to people."""

import uuid
from html.parser import HTMLParser

import pytest

from services.auth.domain.api_keys import ApiKey
from services.auth.domain.credentials import Language
from services.auth.domain.letters import (
    email_code_mail,
    invitation_mail,
    reset_mail,
    reset_notice_mail,
)
from services.auth.domain.mails import Mail
from services.auth.domain.notices import (
    api_key_mail,
    authenticator_mail,
    password_changed_mail,
)
from services.auth.domain.warnings import email_changed_mail, reuse_mail
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import ORIGIN, a_change, a_credential


class Words(HTMLParser):
    """Collects what a reader of the HTML sees in its body."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.seen += data.split()


def letters(language: Language) -> list[Mail]:
    """Write every letter there is."""
    owner = a_credential()
    person = a_change(owner, language=language, display_name="Zé & <b>Ana</b> $code")
    owner = person.applied_to(owner)
    key = ApiKey(
        key_id=uuid.uuid4(),
        company_id=owner.company_id,
        display_name=person.display_name,
        role=owner.role,
        scopes=("telemetry:read", "users:read"),
        digest=b"",
        creator_id=owner.user_id,
        created_at=START,
        expires_at=START,
    )
    return [
        invitation_mail(uuid.uuid4(), person, "ABCD-EFGH", START),
        reset_mail(uuid.uuid4(), owner, "ABCD-EFGH", START),
        reset_notice_mail(uuid.uuid4(), owner, START),
        email_code_mail(uuid.uuid4(), owner, "new@example.com", "ABCD-EFGH", START),
        email_changed_mail(uuid.uuid4(), owner, "old@example.com", "new@example.com", START),
        reuse_mail(uuid.uuid4(), owner, ORIGIN, START),
        api_key_mail(uuid.uuid4(), owner, key, ORIGIN),
        password_changed_mail(uuid.uuid4(), owner, ORIGIN, START),
        authenticator_mail(uuid.uuid4(), owner, START, on=True),
        authenticator_mail(uuid.uuid4(), owner, START, on=False),
    ]


@pytest.mark.parametrize("language", Language)
def test_text_and_html_say_the_same(language: Language) -> None:
    """Word for word, whatever a name holds."""
    for mail in letters(language):
        words = Words()
        words.feed(mail.html)

        assert words.seen == [*mail.subject.split(), *mail.text.split()]
        assert f'<html lang="{language}">' in mail.html
        assert "<b>" not in mail.html


def test_languages_differ() -> None:
    """No letter was left untranslated."""
    for english, portuguese in zip(*map(letters, Language), strict=True):
        assert english.subject != portuguese.subject
        assert english.text.splitlines()[0] != portuguese.text.splitlines()[0]
