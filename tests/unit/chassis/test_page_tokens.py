"""Page tokens: what goes in comes out, and nothing else does."""

import base64

import pytest
from dashtrack.users.v1 import user_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
    install_page_token_key,
)

payloads = st.dictionaries(
    st.text(max_size=20), st.text(max_size=50) | st.integers(-(2**63), 2**63 - 1), max_size=5
)


@given(payload=payloads, question=st.text(max_size=50))
def test_token_gives_back_what_it_was_made_of(payload: dict[str, str | int], question: str) -> None:
    """Any position survives the way to the client and back, in a form that fits into a URL."""
    token = encode_page_token(payload, question)
    assert decode_page_token(token, question) == payload
    assert all(character.isalnum() or character in "-_" for character in token)


@given(payload=payloads, question=st.text(max_size=20), other=st.text(max_size=20))
def test_token_of_another_request_is_refused(
    payload: dict[str, str | int], question: str, other: str
) -> None:
    """A token with changed filters is refused rather than misread."""
    if question == other:
        return
    with pytest.raises(PageTokenInvalid):
        decode_page_token(encode_page_token(payload, question), other)


@given(payload=payloads, data=st.data())
def test_altered_token_is_refused(payload: dict[str, str | int], data: st.DataObject) -> None:
    """Changing any character makes a token worthless."""
    token = encode_page_token(payload, "question")
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    altered = token[:place] + character + token[place + 1 :]
    if altered == token:
        return
    with pytest.raises(PageTokenInvalid):
        decode_page_token(altered, "question")


@given(
    token=st.text(max_size=200)
    | st.binary(max_size=200).map(base64.urlsafe_b64encode).map(bytes.decode)
)
def test_rubbish_is_refused(token: str) -> None:
    """Nothing that we didn't make is taken for a token, and nothing crashes."""
    with pytest.raises(PageTokenInvalid) as caught:
        decode_page_token(token, "question")
    assert caught.value.reason == "PAGE_TOKEN_INVALID"
    assert caught.value.violations[0].field == "page_token"


def test_huge_token_is_refused() -> None:
    """A token that is too long is not even looked at."""
    with pytest.raises(PageTokenInvalid):
        decode_page_token("A" * 10_000_000, "question")


def test_replicas_with_the_same_secret_share_their_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list begun at one replica goes on at another, and not at another service."""
    monkeypatch.setattr("services.chassis.page_tokens._keys", {})
    install_page_token_key("one")
    token = encode_page_token({"after": 1}, "question")
    install_page_token_key("two")
    with pytest.raises(PageTokenInvalid):
        decode_page_token(token, "question")
    install_page_token_key("one")
    assert decode_page_token(token, "question") == {"after": 1}


def test_fingerprint_ignores_the_page_and_nothing_else() -> None:
    """The next page belongs to the same question; another filter makes another question."""
    request = user_service_pb2.ListUsersRequest()
    next_page = user_service_pb2.ListUsersRequest(page_size=7, page_token="x")
    assert fingerprint(request) == fingerprint(next_page)
    other = next(
        field
        for field in request.DESCRIPTOR.fields
        if field.type == field.TYPE_STRING and field.name != "page_token"
    )
    changed = user_service_pb2.ListUsersRequest()
    setattr(changed, other.name, "value")
    assert fingerprint(request) != fingerprint(changed)


def test_fingerprint_tells_messages_of_different_types_apart() -> None:
    """Two lists that are both asked for without filters don't share tokens."""
    from dashtrack.companies.v1 import company_service_pb2

    users = fingerprint(user_service_pb2.ListUsersRequest())
    assert users != fingerprint(company_service_pb2.ListCompaniesRequest())
