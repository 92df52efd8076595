"""Series about the audit log."""

import uuid

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LAG_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class PrometheusAuditRecorder:
    """Counts how the audit log fares."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "audit_sealing_lag_seconds",
            "How long after something was done its record was sealed.",
            buckets=_LAG_BUCKETS_S,
            registry=registry,
        )
        self._verifications = Counter(
            "audit_verifications_total",
            "Verifications of chains, by what they found.",
            ["result"],
            registry=registry,
        )
        self._intact = Gauge(
            "audit_chain_intact",
            "Whether no chain was found broken when it was last verified here.",
            registry=registry,
        )
        self._intact.set(1)
        self._broken: set[uuid.UUID] = set()

    def sealed(self, lag_s: float) -> None:
        """Count a record that was sealed, so long after it happened."""
        self._lag.observe(max(0.0, lag_s))

    def verified(self, company_id: uuid.UUID, *, intact: bool) -> None:
        """Note what verifying a chain has found."""
        self._verifications.labels("intact" if intact else "broken").inc()
        if intact:
            self._broken.discard(company_id)
        else:
            self._broken.add(company_id)
        self._intact.set(0 if self._broken else 1)
