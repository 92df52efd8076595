"""Keys of machines, and what tokens say, between protobuf and the domain."""

from datetime import UTC

from dashtrack.auth.v1 import api_key_service_pb2, introspection_service_pb2
from dashtrack.options.v1 import options_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from services.auth.domain.api_keys import ApiKey, ApiKeyPage, MadeApiKey, NewApiKey
from services.auth.ports.api_keys import ExaminedToken
from services.auth.usecases.key_exchange import ApiKeyGrant
from services.chassis.errors import invalid_field
from services.chassis.fields import (
    ROLE_NUMBERS,
    ROLES,
    decode_optional_id,
    encode_restriction,
    encode_time,
)
from services.chassis.identity import CallerKind
from services.chassis.page_tokens import encode_next_page

_TOKEN_TYPE = "Bearer"  # noqa: S105 - what kind of token it is
_KINDS = {
    CallerKind.USER: introspection_service_pb2.TokenIntrospection.KIND_USER,
    CallerKind.API_KEY: introspection_service_pb2.TokenIntrospection.KIND_API_KEY,
    CallerKind.DEVICE: introspection_service_pb2.TokenIntrospection.KIND_DEVICE,
    CallerKind.SERVICE: introspection_service_pb2.TokenIntrospection.KIND_SERVICE,
}


def decode_new_api_key(request: api_key_service_pb2.CreateApiKeyRequest) -> NewApiKey:
    """Read what key is to be made.

    Raises:
        InvalidArgument: its name is blank, or its expiry no time.
    """
    api_key = request.api_key
    display_name = api_key.display_name.strip()
    if not display_name or not display_name.isprintable():
        raise invalid_field("api_key.display_name", "A name of printable characters is needed.")
    expires_at = None
    if api_key.HasField("expire_time"):
        try:
            expires_at = api_key.expire_time.ToDatetime(UTC)
        except ValueError as err:
            raise invalid_field("api_key.expire_time", "This is no time.") from err
    return NewApiKey(
        display_name=display_name,
        role=ROLES[api_key.role],
        scopes=list(api_key.scopes),
        company_id=decode_optional_id(api_key.company_id),
        expires_at=expires_at,
        request_id=decode_optional_id(request.request_id),
    )


def encode_made_api_key(made: MadeApiKey) -> api_key_service_pb2.CreateApiKeyResponse:
    """Write a key that was made, with its text if that is shown."""
    return api_key_service_pb2.CreateApiKeyResponse(
        api_key=encode_api_key(made.api_key), secret_key=made.text
    )


def encode_api_key_page(
    page: ApiKeyPage, request: api_key_service_pb2.ListApiKeysRequest
) -> api_key_service_pb2.ListApiKeysResponse:
    """Write a page of keys, and the token that gets the next one."""
    return api_key_service_pb2.ListApiKeysResponse(
        api_keys=map(encode_api_key, page.api_keys),
        next_page_token=encode_next_page(page.next_before, request),
    )


def encode_api_key(api_key: ApiKey) -> api_key_service_pb2.ApiKey:
    """Write a key without its secret."""
    return api_key_service_pb2.ApiKey(
        key_id=str(api_key.key_id),
        company_id=str(api_key.company_id or ""),
        display_name=api_key.display_name,
        role=ROLE_NUMBERS[api_key.role],
        scopes=api_key.scopes,
        expire_time=encode_time(api_key.expires_at),
        prefix=api_key.prefix,
        creator_user_id=str(api_key.creator_id),
        create_time=encode_time(api_key.created_at),
        last_use_time=encode_time(api_key.used_at) if api_key.used_at else None,
        last_use_address=api_key.used_from,
        revoke_time=encode_time(api_key.revoked_at) if api_key.revoked_at else None,
    )


def encode_api_key_token(grant: ApiKeyGrant) -> api_key_service_pb2.ApiKeyToken:
    """Write what a machine gets for its key."""
    api_key = grant.api_key
    return api_key_service_pb2.ApiKeyToken(
        access_token=grant.issued.token,
        expires_in_s=grant.expires_in_s,
        token_type=_TOKEN_TYPE,
        key_id=str(api_key.key_id),
        role=ROLE_NUMBERS[api_key.role],
        company_id=str(api_key.company_id or ""),
        scopes=api_key.scopes,
    )


def encode_introspection(
    found: ExaminedToken | None,
) -> introspection_service_pb2.TokenIntrospection:
    """Write what a token says, or that it is not good."""
    if found is None:
        return introspection_service_pb2.TokenIntrospection(active=False)
    holder = found.holder
    return introspection_service_pb2.TokenIntrospection(
        active=True,
        kind=_KINDS[holder.kind],
        subject=holder.subject,
        role=ROLE_NUMBERS[holder.role] if holder.role else options_pb2.ROLE_UNSPECIFIED,
        company_id=str(holder.company_id or ""),
        session_id=str(holder.session_id or ""),
        scopes=sorted(holder.scopes),
        issue_time=_moment(found.issued_at_s),
        expire_time=_moment(holder.expires_at_s),
        restriction=encode_restriction(holder.restriction),
    )


def _moment(seconds: float) -> Timestamp:
    moment = Timestamp()
    moment.FromMicroseconds(round(seconds * 1e6))
    return moment
