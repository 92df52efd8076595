"""The series about authentication."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.auth.domain.sessions import SessionCounts
from services.chassis.identity import Role

FAILURE_REASONS = (
    "credentials_invalid",
    "two_factor_required",
    "two_factor_invalid",
    "login_throttled",
    "refresh_token_invalid",
    "refresh_token_reused",
    "invitation_invalid",
    "reset_code_invalid",
    "email_code_invalid",
    "api_key_invalid",
    "company_suspended",
    "service_credentials_invalid",
)


class PrometheusRecorder:
    """Counts how authentication goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        successes = Counter(
            "auth_success_total", "Sessions that were opened.", ["role"], registry=registry
        )
        failures = Counter(
            "auth_failures_total", "Authentications that failed.", ["reason"], registry=registry
        )
        self._reset_requests = Counter(
            "password_reset_requests_total",
            "Requests for a new password, whether or not anybody has the address.",
            registry=registry,
        )
        self._sessions = Gauge(
            "user_sessions_total",
            "Sessions that are open, of the whole platform: each replica reports them all.",
            registry=registry,
        )
        self._users = Gauge(
            "active_users_total",
            "People whose session was used in the last 15 minutes; each replica reports them all.",
            registry=registry,
        )
        self._successes = {role: successes.labels(role.value) for role in Role}
        self._failures = {reason: failures.labels(reason) for reason in FAILURE_REASONS}

    def succeeded(self, role: Role) -> None:
        """Count a session that was opened."""
        self._successes[role].inc()

    def failed(self, reason: str) -> None:
        """Count a failure; the reasons are few and fixed."""
        self._failures[reason].inc()

    def reset_requested(self) -> None:
        """Count a request for a new password."""
        self._reset_requests.inc()

    def counted(self, counts: SessionCounts) -> None:
        """Report how many sessions there are."""
        self._sessions.set(counts.open_sessions)
        self._users.set(counts.active_users)
