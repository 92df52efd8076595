"""Constructs the audit log."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from services.auth.adapters.audit_recording import PrometheusAuditRecorder
from services.auth.adapters.audit_signing import Ed25519HeadSigning
from services.auth.consumers import audit_consumer
from services.auth.grpc_api.audit import AuditServicer
from services.auth.ports import Clock
from services.auth.ports.audit import AuditRecorder
from services.auth.settings import AuthSettings
from services.auth.storage.audit import AUDIT_LOG_TABLES, PostgresAuditStore
from services.auth.storage.vault import Vault
from services.auth.usecases.audit_reading import AuditReading
from services.auth.usecases.audit_sealing import (
    EraseAuditPersonalData,
    HeadSigner,
    PruneAudit,
    SealAct,
)
from services.auth.workers import AuditUpkeep
from services.chassis.application import Runtime
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.workers import Worker

AUDIT_KEYS_PATH = "/.well-known/audit-keys.json"
BOOKKEEPING_TABLES = AUDIT_LOG_TABLES | {"companies", "login_attempts"}
"""Writing to these is no act: heads follow from records, what is known of companies from what
they did, and attempts are counted before they are judged."""


@dataclass(frozen=True, kw_only=True)
class AuditLog:
    """What the service needs of the audit log."""

    servicer: AuditServicer
    erase: EraseAuditPersonalData
    """Destroys the key to the personal data in a company's log, when the company is deleted."""
    workers: Sequence[Worker]
    keys_route: web.RouteDef


def build_audit_log(runtime: Runtime[AuthSettings], vault: Vault, clock: Clock) -> AuditLog:
    """Construct the audit log."""
    settings = runtime.settings
    store = PostgresAuditStore(runtime.database, vault)
    recorder = PrometheusAuditRecorder(runtime.metrics)
    signer = HeadSigner(store, Ed25519HeadSigning(), clock)
    reading = make_reading(store, signer, recorder)
    prune = PruneAudit(store, signer, timedelta(days=settings.audit_retention_d), clock)
    upkeep = AuditUpkeep(signer=signer, prune=prune, interval_s=settings.audit_head_interval_s)
    return AuditLog(
        servicer=AuditServicer(reading),
        erase=EraseAuditPersonalData(store, signer, clock, new_id),
        workers=[
            audit_consumer(runtime.messaging, SealAct(store, signer, recorder, clock)),
            Worker("audit-upkeep", upkeep.run),
        ],
        keys_route=_keys_route(store),
    )


def make_reading(
    store: PostgresAuditStore, signer: HeadSigner, recorder: AuditRecorder
) -> AuditReading:
    """Construct what reads and verifies the log."""
    return AuditReading(store, signer, Ed25519HeadSigning(), recorder)


def make_signer(database: Database, vault: Vault, clock: Clock) -> HeadSigner:
    """Construct what the command line needs to make a key beside a running service."""
    return HeadSigner(PostgresAuditStore(database, vault), Ed25519HeadSigning(), clock)


def _keys_route(store: PostgresAuditStore) -> web.RouteDef:
    async def serve(_: web.Request) -> web.Response:
        async with store.transaction() as tx:
            keys = await tx.keys()
        document = {
            "keys": [
                {"key_id": key.key_id, "public_key": base64.b64encode(key.public_key).decode()}
                for key in keys
            ]
        }
        return web.Response(text=json.dumps(document), content_type="application/json")

    return web.get(AUDIT_KEYS_PATH, serve)
