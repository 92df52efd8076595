"""What the service does once, from the command line."""

import argparse
import base64
import binascii
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.auth.adapters.audit_recording import PrometheusAuditRecorder
from services.auth.adapters.audit_signing import Ed25519HeadSigning
from services.auth.app.audit import BOOKKEEPING_TABLES, make_reading, make_signer
from services.auth.app.parts import make_key_rotation, make_vault, utc_now
from services.auth.domain.audit import PLATFORM
from services.auth.domain.audit_heads import AuditKey, key_id_of
from services.auth.settings import AuthSettings
from services.auth.storage.audit import PostgresAuditStore
from services.auth.usecases.audit_files import FileVerdict, verify_lines
from services.auth.usecases.audit_reading import AuditReading
from services.chassis.audit.entries import acting
from services.chassis.audit.trail import AuditTrail
from services.chassis.database import Database
from services.chassis.service import CommandFailed

Load = Callable[[], AuthSettings]


async def rotate_keys(load: Load, arguments: Sequence[str]) -> str:
    """Publish the next signing key, unless there is one; say which it is."""
    _parser("rotate-keys").parse_args(arguments)
    settings = load()
    async with _database(settings) as database:
        with acting("auth", "RotateSigningKeys"):
            key = await make_key_rotation(database, settings).rotate()
    return f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC"


async def rotate_audit_key(load: Load, arguments: Sequence[str]) -> str:
    """Make a key that signs heads of the audit log from now on; say what its public half is."""
    _parser("rotate-audit-key").parse_args(arguments)
    settings = load()
    async with _database(settings) as database:
        with acting("auth", "RotateAuditKey"):
            key = await make_signer(database, make_vault(settings), utc_now).rotate()
    return f"{key.key_id} {base64.b64encode(key.public_key).decode()}"


async def verify_audit(load: Load, arguments: Sequence[str]) -> str:
    """Verify a log in the database, or an export with nothing but public keys.

    Raises:
        CommandFailed: something is broken.
    """
    parser = _parser("verify-audit")
    parser.add_argument("--company", type=uuid.UUID, default=PLATFORM, metavar="ID")
    parser.add_argument("--file", type=Path, help="an NDJSON export")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        type=_public_key,
        help="a public key that vouches, in Base64",
    )
    wanted = parser.parse_args(arguments)
    if wanted.file is not None:
        return _verify_file(wanted.file, wanted.key)
    settings = load()
    async with _database(settings) as database:
        store = PostgresAuditStore(database, make_vault(settings))
        signer = make_signer(database, make_vault(settings), utc_now)
        recorder = PrometheusAuditRecorder(CollectorRegistry())
        reading = make_reading(store, signer, recorder)
        return await _verify_chain(reading, wanted.company, wanted.key)


async def _verify_chain(
    reading: AuditReading, company_id: uuid.UUID, known: Sequence[AuditKey]
) -> str:
    after = 0
    while True:
        verdict = await reading.verify(company_id, after=after, known=known)
        if verdict.broken is not None:
            raise CommandFailed(
                f"broken at record {verdict.broken.sequence}: {verdict.broken.problem}"
            )
        if verdict.complete:
            return f"intact: {verdict.verified_sequence} records"
        after = verdict.verified_sequence


def _verify_file(path: Path, keys: Sequence[AuditKey]) -> str:
    try:
        with path.open("rb") as lines:
            verdict = verify_lines(lines, keys, Ed25519HeadSigning())
    except OSError as err:
        raise CommandFailed(f"{path}: {err.strerror}") from err
    if verdict.proven:
        return f"intact: records {verdict.first_sequence} to {verdict.verified_sequence}"
    raise CommandFailed(_complaint(verdict))


def _complaint(verdict: FileVerdict) -> str:
    if verdict.broken is not None:
        return f"broken at record {verdict.broken.sequence}: {verdict.broken.problem}"
    if verdict.detail:
        return f"not an export: {verdict.detail}"
    if not verdict.complete:
        return f"the file ends after record {verdict.verified_sequence}, without its last line"
    return f"no signature vouches for what follows record {verdict.attested_sequence}"


def _public_key(text: str) -> AuditKey:
    try:
        public_key = base64.b64decode(text, validate=True)
    except binascii.Error as err:
        raise argparse.ArgumentTypeError("not Base64") from err
    return AuditKey(key_id_of(public_key), public_key, datetime.fromtimestamp(0, UTC))


def _parser(command: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"python -m services.auth {command}")


@contextlib.asynccontextmanager
async def _database(settings: AuthSettings) -> AsyncIterator[Database]:
    registry = CollectorRegistry()
    database = Database(settings, "auth", registry)
    # What is done from here is recorded too; the service publishes it.
    AuditTrail("auth", database, registry).install(BOOKKEEPING_TABLES)
    try:
        yield database
    finally:
        await database.close()
