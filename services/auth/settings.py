"""What the service is told by its environment."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.auth.adapters.argon2_hasher import Argon2Options
from services.auth.adapters.smtp import SmtpSecurity, SmtpServer
from services.auth.domain.api_keys import ApiKeyPolicy
from services.auth.domain.keys import RotationPolicy
from services.auth.domain.throttling import Limit
from services.auth.domain.tokens import Lifetimes
from services.auth.usecases.throttling import LoginLimits
from services.chassis.settings import Port, Secret, ServiceSettings

_SECRET_LENGTH_MIN = 32
_DAY_S = 86_400


class AuthSettings(ServiceSettings):
    """Settings of auth, read from `DASHTRACK_AUTH_*`."""

    model_config = SettingsConfigDict(env_prefix="DASHTRACK_AUTH_")

    grpc_port: Port = Field(15051, description="Port of the gRPC server; 0 picks a free one.")
    http_port: Port = Field(15061, description="Port of the HTTP server; 0 picks a free one.")
    nats_user: str = Field("auth", description="NATS user of this service.")

    users_target: str = Field(
        "127.0.0.1:15052", description="gRPC address of users: whose addresses are whose."
    )
    encryption_key: Secret = Field(
        description="Encrypts what is secret or personal at rest; 32 random characters or more."
    )
    service_secrets: dict[str, Secret] = Field(
        description="The services' client secrets, as a JSON object from name to secret."
    )
    bootstrap_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = (
        Field(None, description="E-mail address of the first administrator.")
    )
    bootstrap_password: Secret | None = Field(
        None, description="Their first password: set once, never over one that they changed to."
    )
    mailbox_dir: Path | None = Field(
        None, description="Maildir folder that mail is delivered to where there is no mail server."
    )
    mail_sender: str = Field(
        "DashTrack <no-reply@dashtrack.invalid>",
        pattern=r"^[^@<>\r\n]*<[^@<>\s]+@[^@<>\s]+>$",
        description="Whom mail is from, as `Name <address>`.",
    )
    smtp_host: str | None = Field(
        None, min_length=1, description="Mail server; without one mail goes to MAILBOX_DIR."
    )
    smtp_port: int = Field(587, ge=1, le=65_535, description="Port of the mail server.")
    smtp_security: SmtpSecurity = Field(
        SmtpSecurity.STARTTLS,
        description="Encryption of the connection: `starttls`, `tls` or `none`.",
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="Certificates that the mail server's is checked against, not the system's.",
    )
    smtp_user: str | None = Field(None, description="User at the mail server, if it wants one.")
    smtp_password: Secret | None = Field(None, description="Their password.")
    smtp_timeout_s: float = Field(
        20.0, gt=0, le=50, description="How long the mail server may take for a step."
    )

    access_token_ttl_s: int = Field(900, ge=1, le=3600, description="Life of an access token.")
    service_token_ttl_s: int = Field(600, ge=1, le=3600, description="Life of a service token.")
    device_token_ttl_s: int = Field(
        _DAY_S, ge=1, le=30 * _DAY_S, description="Life of a device token."
    )
    refresh_token_ttl_s: int = Field(
        14 * _DAY_S, ge=1, description="A session that isn't refreshed for so long is over."
    )
    session_ttl_s: int = Field(
        90 * _DAY_S, ge=1, description="A session is over so long after login, used or not."
    )
    sessions_per_user_max: int = Field(
        200, ge=1, le=1000, description="Sessions of a person; a company may allow fewer."
    )
    invitation_ttl_s: int = Field(7 * _DAY_S, ge=1, description="Life of an invitation.")
    password_reset_ttl_s: int = Field(
        1800, ge=1, description="Life of a code that sets a new password."
    )

    password_score_min: int = Field(
        3, ge=0, le=4, description="Strength that a new password needs, from 0 to 4 (zxcvbn)."
    )
    argon2_memory_kib: int = Field(65_536, ge=8, description="Memory of one password hash.")
    argon2_passes: int = Field(2, ge=1, description="Passes over the memory.")
    argon2_lanes: int = Field(1, ge=1, le=16, description="Lanes of the memory.")
    password_threads: int = Field(
        2, ge=1, le=64, description="Passwords hashed at the same time, each on a core."
    )
    password_queue_max: int = Field(
        32, ge=1, description="Passwords that wait to be hashed; more are refused."
    )

    login_failures_window_s: int = Field(
        900, ge=1, description="Time over which failed logins are counted."
    )
    login_failures_per_account_and_address: int = Field(
        10, ge=1, description="Failed logins to one account from one address in a window."
    )
    login_failures_per_account: int = Field(
        50, ge=1, description="Failed logins to one account from new addresses in a window."
    )
    login_failures_per_address: int = Field(
        100, ge=1, description="Failed logins from one address in a window."
    )

    password_resets_window_s: int = Field(
        3600, ge=1, description="Time over which requests for a new password are counted."
    )
    password_resets_per_account_and_address: int = Field(
        3, ge=1, description="Requests for one account from one address in a window."
    )
    password_resets_per_account: int = Field(
        10, ge=1, description="Requests for one account from new addresses in a window."
    )
    password_resets_per_address: int = Field(
        30, ge=1, description="Requests from one address in a window."
    )

    api_key_ttl_default_s: int = Field(
        90 * _DAY_S, ge=60, description="Life of an API key that is made without an expiry."
    )
    api_key_ttl_max_s: int = Field(365 * _DAY_S, ge=60, description="Longest life of an API key.")
    api_keys_per_company_max: int = Field(
        50, ge=1, le=1000, description="API keys of a company that work at the same time."
    )

    jwks_refresh_interval_s: int = Field(
        300, ge=1, description="How old a copy of the key set may be, at the gateway and elsewhere."
    )
    key_rotation_interval_s: int = Field(
        30 * _DAY_S, ge=60, description="How long a key signs before the next one is made."
    )
    upkeep_interval_s: float = Field(
        30.0, gt=0, description="How often keys are read again, leftovers pruned, sessions counted."
    )
    audit_retention_d: int = Field(
        400, ge=1, description="How long the audit log is kept, in days."
    )
    audit_head_interval_s: float = Field(
        60.0, gt=0, description="How often logs that have grown are signed."
    )
    mail_poll_interval_s: float = Field(
        5.0, gt=0, description="How often mail is looked for that another replica has left."
    )
    company_poll_interval_s: float = Field(
        30.0,
        gt=0,
        description="How often closed companies are looked for that another replica has left.",
    )

    @model_validator(mode="after")
    def _refuse_inconsistent(self) -> Self:
        if (self.bootstrap_email is None) != (self.bootstrap_password is None):
            raise ValueError("bootstrap_email and bootstrap_password go together")
        if len(self.encryption_key.get_secret_value()) < _SECRET_LENGTH_MIN:
            raise ValueError(f"encryption_key has fewer than {_SECRET_LENGTH_MIN} characters")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("smtp_user and smtp_password go together")
        if self.smtp_user is not None and self.smtp_security is SmtpSecurity.NONE:
            raise ValueError("smtp_password would travel in the clear")
        _ = self.mail_target  # which raises if there is none
        if self.api_key_ttl_default_s > self.api_key_ttl_max_s:
            raise ValueError("api_key_ttl_default_s is at most api_key_ttl_max_s")
        if self.upkeep_interval_s > self.jwks_refresh_interval_s:
            raise ValueError("upkeep_interval_s is at most jwks_refresh_interval_s")
        return self

    @property
    def lifetimes(self) -> Lifetimes:
        """How long what auth hands out is good for."""
        return Lifetimes(
            access_token=timedelta(seconds=self.access_token_ttl_s),
            service_token=timedelta(seconds=self.service_token_ttl_s),
            device_token=timedelta(seconds=self.device_token_ttl_s),
            refresh_token=timedelta(seconds=self.refresh_token_ttl_s),
            session=timedelta(seconds=self.session_ttl_s),
            invitation=timedelta(seconds=self.invitation_ttl_s),
            password_reset=timedelta(seconds=self.password_reset_ttl_s),
        )

    @property
    def argon2_options(self) -> Argon2Options:
        """What one hash costs."""
        return Argon2Options(
            memory_kib=self.argon2_memory_kib, passes=self.argon2_passes, lanes=self.argon2_lanes
        )

    @property
    def mail_target(self) -> SmtpServer | Path:
        """Where mail goes: to a server if there is one, else into a folder."""
        if self.smtp_host is None:
            if self.mailbox_dir is None:
                raise ValueError("smtp_host or mailbox_dir is needed")
            return self.mailbox_dir
        password = self.smtp_password
        return SmtpServer(
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            user=self.smtp_user,
            password=password.get_secret_value() if password else None,
            ca_file=self.smtp_ca_file,
            timeout_s=self.smtp_timeout_s,
        )

    @property
    def login_limits(self) -> LoginLimits:
        """How many logins may fail."""
        window = timedelta(seconds=self.login_failures_window_s)
        return LoginLimits(
            account_from_address=Limit(self.login_failures_per_account_and_address, window),
            account=Limit(self.login_failures_per_account, window),
            address=Limit(self.login_failures_per_address, window),
        )

    @property
    def api_key_policy(self) -> ApiKeyPolicy:
        """What holds for API keys."""
        return ApiKeyPolicy(
            lifetime_default=timedelta(seconds=self.api_key_ttl_default_s),
            lifetime_max=timedelta(seconds=self.api_key_ttl_max_s),
            per_company_max=self.api_keys_per_company_max,
        )

    @property
    def reset_limits(self) -> LoginLimits:
        """How often a new password may be asked for."""
        window = timedelta(seconds=self.password_resets_window_s)
        return LoginLimits(
            account_from_address=Limit(self.password_resets_per_account_and_address, window),
            account=Limit(self.password_resets_per_account, window),
            address=Limit(self.password_resets_per_address, window),
        )

    @property
    def rotation(self) -> RotationPolicy:
        """How signing keys follow each other."""
        return RotationPolicy(
            overlap=timedelta(seconds=2 * self.jwks_refresh_interval_s),
            interval=timedelta(seconds=self.key_rotation_interval_s),
            longest_token=self.lifetimes.longest_token,
        )

    @property
    def plain_service_secrets(self) -> dict[str, str]:
        """The services' secrets by name, auth's own among them."""
        secrets: dict[str, SecretStr] = {**self.service_secrets, "auth": self.service_secret}
        return {name: secret.get_secret_value() for name, secret in secrets.items()}
