"""Constructs what machines ask of auth: services, devices, and holders of API keys."""

from services.auth.adapters.recording import PrometheusRecorder
from services.auth.app.parts import Parts, utc_now
from services.auth.grpc_api import TokenUseCases
from services.auth.grpc_api.api_keys import ApiKeyUseCases
from services.auth.usecases.api_keys import CreateApiKey, ListApiKeys, RevokeApiKey
from services.auth.usecases.key_exchange import ExchangeApiKey
from services.auth.usecases.throttling import LoginThrottle
from services.auth.usecases.tokens import (
    IssueDeviceToken,
    IssueServiceToken,
    ListRevocations,
    RevokeSubject,
)


def token_usecases(parts: Parts, recorder: PrometheusRecorder) -> TokenUseCases:
    """Construct what other services ask for."""
    settings = parts.settings
    lifetimes = settings.lifetimes
    return TokenUseCases(
        issue_service_token=IssueServiceToken(
            settings.plain_service_secrets, parts.key_ring, lifetimes, recorder
        ),
        issue_device_token=IssueDeviceToken(parts.store, parts.key_ring, lifetimes),
        revoke_subject=RevokeSubject(parts.store, lifetimes, utc_now, parts.hint),
        list_revocations=ListRevocations(parts.store, utc_now),
    )


def api_key_usecases(parts: Parts, recorder: PrometheusRecorder) -> ApiKeyUseCases:
    """Construct what is done with API keys."""
    store, opener, settings = parts.store, parts.opener, parts.settings
    throttle = LoginThrottle(settings.login_limits, parts.vault.digest, utc_now, "api-key-")
    return ApiKeyUseCases(
        create=CreateApiKey(
            parts.proving(recorder), opener, settings.api_key_policy, parts.carrier.wake
        ),
        list=ListApiKeys(store),
        revoke=RevokeApiKey(store, opener, parts.hint),
        exchange=ExchangeApiKey(store, throttle, opener, recorder),
    )
