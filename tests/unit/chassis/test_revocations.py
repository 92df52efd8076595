"""What the list of revocations covers."""

import time
import uuid
from dataclasses import replace

import pytest

from services.chassis.identity import Caller, CallerKind, Role
from services.chassis.revocations import Revocation, RevocationList, RevocationPage

SUBJECT = uuid.UUID(int=1)
SESSION = uuid.UUID(int=2)
COMPANY = uuid.UUID(int=3)


def caller(subject: uuid.UUID = SUBJECT, session: uuid.UUID = SESSION) -> Caller:
    """Make somebody with a session."""
    return Caller(CallerKind.USER, str(subject), Role.MANAGER, COMPANY, session, 0)


class Pages:
    """A source that answers with prepared pages, one after the other."""

    def __init__(self, *pages: RevocationPage) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    async def __call__(self, position: str) -> RevocationPage:
        """Give the next page, or an empty one."""
        self.asked.append(position)
        return self.pages.pop(0) if self.pages else RevocationPage([], position, more=False)


def revocation(
    *,
    session: uuid.UUID | None = None,
    subject: uuid.UUID | None = None,
    company: uuid.UUID | None = None,
    revoked_at_s: float = 100.0,
    life_s: float = 60.0,
) -> Revocation:
    """Revoke a session, a subject or a company."""
    named = None if subject is None else str(subject)
    return Revocation(session, named, revoked_at_s, time.time() + life_s, company)


async def test_revoked_session_is_covered_and_others_are_not() -> None:
    """Ending one session leaves the person's other sessions alone."""
    revocations = RevocationList(
        Pages(RevocationPage([revocation(session=SESSION)], "1", more=False))
    )
    await revocations.pull()
    assert revocations.covers(caller(), issued_at_s=0)
    assert not revocations.covers(caller(session=uuid.UUID(int=9)), issued_at_s=0)


async def test_revoked_subject_may_come_back_with_a_newer_token() -> None:
    """Revoking a subject ends what was issued until then."""
    page = RevocationPage([revocation(subject=SUBJECT, revoked_at_s=100)], "1", more=False)
    revocations = RevocationList(Pages(page))
    await revocations.pull()
    assert revocations.covers(caller(), issued_at_s=99)
    assert revocations.covers(caller(), issued_at_s=100)
    assert not revocations.covers(caller(), issued_at_s=101)


@pytest.mark.parametrize("kind", [CallerKind.USER, CallerKind.DEVICE])
async def test_revoked_company_takes_its_people_and_devices_along(kind: CallerKind) -> None:
    """What was issued to any of them until then; nobody of another company, nobody of none."""
    page = RevocationPage([revocation(company=COMPANY, revoked_at_s=100)], "1", more=False)
    revocations = RevocationList(Pages(page))
    await revocations.pull()
    member = replace(caller(), kind=kind)

    assert revocations.covers(member, issued_at_s=100)
    assert not revocations.covers(member, issued_at_s=101)
    assert not revocations.covers(replace(member, company_id=uuid.UUID(int=4)), issued_at_s=0)
    assert not revocations.covers(replace(member, company_id=None), issued_at_s=0)


async def test_older_revocation_does_not_undo_a_newer_one() -> None:
    """The latest moment counts, in whatever order the list tells it."""
    entries = [
        revocation(subject=SUBJECT, revoked_at_s=200),
        revocation(subject=SUBJECT, revoked_at_s=100),
    ]
    revocations = RevocationList(Pages(RevocationPage(entries, "1", more=False)))
    await revocations.pull()
    assert revocations.covers(caller(), issued_at_s=150)


async def test_pull_reads_all_pages_and_goes_on_where_it_was() -> None:
    """Pages follow each other by position, and the next pull continues from the last."""
    source = Pages(
        RevocationPage([revocation(subject=SUBJECT)], "1", more=True),
        RevocationPage([revocation(session=SESSION)], "2", more=False),
    )
    revocations = RevocationList(source)
    await revocations.pull()
    await revocations.pull()
    assert source.asked == ["", "1", "2"]


async def test_source_that_repeats_itself_ends_the_pull() -> None:
    """A source that never gets on can't hold the list in a loop."""
    source = Pages(RevocationPage([], "", more=True))
    await RevocationList(source).pull()
    assert source.asked == [""]


async def test_revocations_are_forgotten_once_the_tokens_have_expired() -> None:
    """The list stays as short as what still matters."""
    entries = [
        revocation(session=SESSION, life_s=-1),
        revocation(subject=SUBJECT, life_s=-1),
        revocation(company=COMPANY, life_s=-1),
    ]
    revocations = RevocationList(Pages(RevocationPage(entries, "1", more=False)))
    await revocations.pull()
    assert not revocations.covers(caller(), issued_at_s=0)
