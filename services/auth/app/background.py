"""Constructs what auth does by itself."""

from services.auth.adapters.recording import PrometheusRecorder
from services.auth.app.parts import Parts, utc_now
from services.auth.app.people import Addresses
from services.auth.consumers import companies_consumer, people_consumer
from services.auth.settings import AuthSettings
from services.auth.usecases.companies import (
    ApplyCompanyChange,
    EndClosedSessions,
    EraseCompanies,
    EraseLog,
)
from services.auth.usecases.people import ApplyPersonChange
from services.auth.usecases.upkeep import CountSessions, Prune
from services.auth.workers import Upkeep, company_sweep
from services.chassis.application import Runtime
from services.chassis.outbox import OutboxRelay, inbox_pruner
from services.chassis.workers import Worker


def make_workers(
    runtime: Runtime[AuthSettings],
    parts: Parts,
    recorder: PrometheusRecorder,
    addresses: Addresses,
    erase_log: EraseLog,
) -> list[Worker]:
    """Construct the loops that follow other services, carry mail, and keep order."""
    settings, lifetimes = runtime.settings, runtime.settings.lifetimes
    upkeep = Upkeep(
        rotate_keys=parts.rotate_keys,
        key_ring=parts.key_ring,
        prune=Prune(parts.store, lifetimes, utc_now),
        count_sessions=CountSessions(parts.store, lifetimes, utc_now),
        recorder=recorder,
        interval_s=settings.upkeep_interval_s,
    )
    sweep = company_sweep(
        EndClosedSessions(parts.store, parts.opener, parts.hint),
        EraseCompanies(parts.store, utc_now, erase_log),
        settings.company_poll_interval_s,
    )
    follow_person = ApplyPersonChange(parts.store, parts.opener, parts.hint)
    follow_company = ApplyCompanyChange(parts.store, lifetimes, utc_now, parts.hint)
    return [
        people_consumer(runtime.messaging, follow_person, parts.carrier.wake),
        companies_consumer(runtime.messaging, follow_company, sweep.wake),
        sweep.worker,
        OutboxRelay(runtime.database, runtime.messaging).worker,
        parts.carrier.worker,
        addresses.carrier.worker,
        Worker("upkeep", upkeep.run),
        inbox_pruner(runtime.database),
    ]
