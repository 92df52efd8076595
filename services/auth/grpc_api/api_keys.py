"""ApiKeyService and IntrospectionService: decode a call, run its use case, encode the outcome."""

from dataclasses import dataclass
from typing import Any

from dashtrack.auth.v1 import api_key_service_pb2 as pb
from dashtrack.auth.v1 import introspection_service_pb2
from dashtrack.auth.v1.api_key_service_pb2_grpc import ApiKeyServiceServicer
from dashtrack.auth.v1.introspection_service_pb2_grpc import IntrospectionServiceServicer

from services.auth.codec import PAGE_SIZE_DEFAULT
from services.auth.codec import api_keys as codec
from services.auth.domain.totp import Proof
from services.auth.grpc_api.origins import origin_of, session_owner
from services.auth.usecases.api_keys import CreateApiKey, ListApiKeys, RevokeApiKey
from services.auth.usecases.introspection import IntrospectToken
from services.auth.usecases.key_exchange import ExchangeApiKey
from services.auth.usecases.proving import Claim
from services.chassis.fields import decode_id, decode_optional_id
from services.chassis.identity import current_caller
from services.chassis.page_tokens import decode_page_start

API_KEY_SERVICE = pb.DESCRIPTOR.services_by_name["ApiKeyService"].full_name
INTROSPECTION_SERVICE = introspection_service_pb2.DESCRIPTOR.services_by_name[
    "IntrospectionService"
].full_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyUseCases:
    """What is asked of auth about keys of machines."""

    create: CreateApiKey
    list: ListApiKeys
    revoke: RevokeApiKey
    exchange: ExchangeApiKey


class ApiKeyServicer(ApiKeyServiceServicer):
    """Serves those who make keys, and the machines that have them."""

    def __init__(self, usecases: ApiKeyUseCases, proxies_trusted: int) -> None:
        self._usecases = usecases
        self._proxies_trusted = proxies_trusted

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Any
    ) -> pb.CreateApiKeyResponse:
        owner = session_owner(context, self._proxies_trusted)
        claim = Claim(
            owner, request.current_password, Proof(request.totp_code, request.backup_code)
        )
        made = await self._usecases.create(
            current_caller(), claim, codec.decode_new_api_key(request)
        )
        return codec.encode_made_api_key(made)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Any
    ) -> pb.ListApiKeysResponse:
        page = await self._usecases.list(
            current_caller(),
            decode_optional_id(request.company_id),
            before=decode_page_start(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_api_key_page(page, request)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Any) -> pb.ApiKey:
        key_id = decode_id(request.key_id)
        return codec.encode_api_key(await self._usecases.revoke(current_caller(), key_id))

    async def ExchangeApiKey(
        self, request: pb.ExchangeApiKeyRequest, context: Any
    ) -> pb.ApiKeyToken:
        origin = origin_of(context, self._proxies_trusted)
        return codec.encode_api_key_token(await self._usecases.exchange(request.secret_key, origin))


class IntrospectionServicer(IntrospectionServiceServicer):
    """Serves those who can't verify tokens by themselves."""

    def __init__(self, introspect: IntrospectToken) -> None:
        self._introspect = introspect

    async def IntrospectToken(
        self, request: introspection_service_pb2.IntrospectTokenRequest, context: Any
    ) -> introspection_service_pb2.TokenIntrospection:
        return codec.encode_introspection(await self._introspect(current_caller(), request.token))
