"""What people do about where they are logged in, on fakes."""

import uuid
from datetime import timedelta

import pytest

from services.auth.domain.devices import device_label
from services.auth.domain.errors import RefreshTokenInvalid, SessionNotFound
from services.auth.domain.sessions import Origin, SessionGrant
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld


async def logged_in_twice(world: AuthWorld) -> tuple[SessionGrant, SessionGrant]:
    """Log somebody new in, here and there."""
    person = await world.add_person()
    here = await world.login(person.email, PASSWORD, ORIGIN)
    return here, await world.login(person.email, PASSWORD, Origin("198.51.100.7"))


def session_id_of(world: AuthWorld, turn: int) -> uuid.UUID:
    """Read the session that a token was issued for."""
    return uuid.UUID(str(world.issuer.claims[turn]["sid"]))


async def test_sessions_say_where_they_were_last_used(world: AuthWorld) -> None:
    """A refresh from elsewhere moves them, and shows when."""
    here, _ = await logged_in_twice(world)
    world.clock.advance(hours=1)
    await world.refresh(here.refresh_token, Origin("203.0.113.5", "Firefox/140.0"))

    page = await world.list_sessions(here.user_id, None, 50)

    found = {session.session_id: session for session in page.sessions}
    moved, other = found[session_id_of(world, 0)], found[session_id_of(world, 1)]
    assert moved.origin == Origin("203.0.113.5", "Firefox/140.0")
    assert moved.last_used_at - moved.opened_at == timedelta(hours=1)
    assert other.origin == Origin("198.51.100.7")


async def test_pages_hold_each_session_once(world: AuthWorld) -> None:
    """Whatever is opened meanwhile is newer and doesn't move them."""
    person = await world.add_person()
    for _ in range(5):
        await world.login(person.email, PASSWORD, ORIGIN)

    first = await world.list_sessions(person.user_id, None, 3)
    last = await world.list_sessions(person.user_id, first.next_before, 3)

    found = [session.session_id for session in (*first.sessions, *last.sessions)]
    assert found == sorted(world.store.tables.sessions, reverse=True)
    assert last.next_before is None


async def test_sessions_that_are_over_are_not_listed(world: AuthWorld) -> None:
    """Neither ended ones nor those that can't be refreshed any more."""
    here, _ = await logged_in_twice(world)
    await world.revoke_session(here.user_id, session_id_of(world, 1))
    assert len((await world.list_sessions(here.user_id, None, 50)).sessions) == 1

    world.clock.now += LIFETIMES.refresh_token

    assert (await world.list_sessions(here.user_id, None, 50)).sessions == []


async def test_a_revoked_session_is_over_everywhere(world: AuthWorld) -> None:
    """Its refresh token is refused, its access tokens are revoked, others go on; once is enough."""
    here, there = await logged_in_twice(world)
    session_id = session_id_of(world, 1)

    await world.revoke_session(here.user_id, session_id)
    await world.revoke_session(here.user_id, session_id)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(there.refresh_token, ORIGIN)
    assert (await world.refresh(here.refresh_token, ORIGIN)).user_id == here.user_id
    revocations = (await world.list_revocations(0)).revocations
    assert [entry.session_id for entry in revocations] == [session_id]
    assert world.hint.announced == 1


async def test_sessions_of_others_do_not_exist(world: AuthWorld) -> None:
    """They are refused as made-up ones are, and go on."""
    here, _ = await logged_in_twice(world)
    stranger = await world.add_person()

    for session_id in (session_id_of(world, 0), uuid.uuid4()):
        with pytest.raises(SessionNotFound) as refused:
            await world.revoke_session(stranger.user_id, session_id)
        assert refused.value.metadata == {"session_id": str(session_id)}

    assert (await world.refresh(here.refresh_token, ORIGIN)).user_id == here.user_id


@pytest.mark.parametrize("keep", [True, False])
async def test_logging_out_everywhere_may_spare_the_session_that_asks(
    world: AuthWorld, *, keep: bool
) -> None:
    """All others end, and nobody else's."""
    here, there = await logged_in_twice(world)
    stranger, _ = await logged_in_twice(world)

    await world.logout_everywhere(here.user_id, session_id_of(world, 0) if keep else None)

    page = await world.list_sessions(here.user_id, None, 50)
    assert len(page.sessions) == int(keep)
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(there.refresh_token, ORIGIN)
    assert (await world.refresh(stranger.refresh_token, ORIGIN)).user_id == stranger.user_id
    assert len((await world.list_revocations(0)).revocations) == (1 if keep else 2)
    assert world.hint.announced == 1


async def test_nothing_is_announced_when_nothing_ended(world: AuthWorld) -> None:
    """The only session stays."""
    person = await world.add_person()
    await world.login(person.email, PASSWORD, ORIGIN)

    await world.logout_everywhere(person.user_id, session_id_of(world, 0))

    assert world.hint.announced == 0


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/2010 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} Chrome/140.0", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18) Version/18 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Safari/605.1", "Safari on macOS"),
        ("Mozilla/5.0 (compatible)", "Browser"),
        ("curl/8.5.0", "curl"),
        ("grpc-python/1.76.0 grpc-c/51.0.0 (linux; chttp2)", "grpc-python"),
        ("x" * 200, "x" * 40),
        ("", ""),
        (" /;()", ""),
    ],
)
def test_programs_are_named_in_few_words(user_agent: str, label: str) -> None:
    """As their owners call them."""
    assert device_label(user_agent) == label


def test_what_can_not_be_shown_is_not_kept() -> None:
    """A program says of itself what it likes, at any length."""
    assert Origin.of("192.0.2.1", "a\nb\x1b[0m\u202ec") == Origin("192.0.2.1", "ab[0mc")
    assert len(Origin.of("192.0.2.1", "x" * 10_000).user_agent) == 256
