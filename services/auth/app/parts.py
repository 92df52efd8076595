"""Constructs what the use cases stand on, whatever they are about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.auth.adapters.argon2_hasher import Argon2PasswordHasher
from services.auth.adapters.bounded_threads import BoundedThreads
from services.auth.adapters.hints import NatsRevocationHint
from services.auth.adapters.key_ring import Ed25519KeyGenerator, KeyRing
from services.auth.adapters.maildir import MaildirMailer
from services.auth.adapters.smtp import SmtpMailer
from services.auth.adapters.zxcvbn_estimator import ZxcvbnPasswordStrength
from services.auth.ports import AuthenticationRecorder
from services.auth.ports.mails import Mailer
from services.auth.settings import AuthSettings
from services.auth.storage.store import PostgresStore
from services.auth.storage.vault import Vault
from services.auth.usecases.new_passwords import NewPasswords
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.passwords import PasswordCheck
from services.auth.usecases.proving import Proving
from services.auth.usecases.resets import AnswerResetRequests, ResetCodes
from services.auth.usecases.second_factors import SecondFactors
from services.auth.usecases.throttling import LoginThrottle
from services.auth.usecases.upkeep import RotateKeys, SendMail
from services.auth.workers import mail_carrier
from services.chassis.application import Runtime
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.workers import Chore


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is made once, and used by what people, machines and addresses need."""

    settings: AuthSettings
    vault: Vault
    store: PostgresStore
    throttle: LoginThrottle
    threads: BoundedThreads
    hasher: Argon2PasswordHasher
    passwords: NewPasswords
    check_password: PasswordCheck
    factors: SecondFactors
    key_ring: KeyRing
    rotate_keys: RotateKeys
    opener: SessionOpener
    reset_codes: ResetCodes
    hint: NatsRevocationHint
    carrier: Chore

    def proving(self, recorder: AuthenticationRecorder) -> Proving:
        """Construct what has people prove anew who they are."""
        return Proving(self.store, self.throttle, self.check_password, self.factors, recorder)


def make_parts(runtime: Runtime[AuthSettings]) -> Parts:
    """Construct the adapters, and what stands on them alone."""
    settings = runtime.settings
    vault = make_vault(settings)
    store = PostgresStore(runtime.database, vault)
    key_ring = KeyRing(store, utc_now, new_id, settings.token_issuer)
    opener = SessionOpener(
        key_ring, settings.lifetimes, utc_now, new_id, settings.sessions_per_user_max
    )
    reset_codes = ResetCodes(opener, vault.digest)
    threads = BoundedThreads(settings.password_threads, settings.password_queue_max)
    hasher = Argon2PasswordHasher(settings.argon2_options, threads)
    throttle = LoginThrottle(settings.login_limits, vault.digest, utc_now)
    return Parts(
        settings=settings,
        vault=vault,
        store=store,
        throttle=throttle,
        threads=threads,
        hasher=hasher,
        passwords=NewPasswords(
            ZxcvbnPasswordStrength(threads), settings.password_score_min, hasher
        ),
        check_password=PasswordCheck(store, throttle, hasher),
        factors=SecondFactors(vault.digest, utc_now),
        key_ring=key_ring,
        rotate_keys=make_key_rotation(runtime.database, settings),
        opener=opener,
        reset_codes=reset_codes,
        hint=NatsRevocationHint(runtime.messaging),
        carrier=mail_carrier(
            AnswerResetRequests(store, reset_codes),
            SendMail(store, make_mailer(settings), utc_now),
            settings.mail_poll_interval_s,
        ),
    )


def make_key_rotation(database: Database, settings: AuthSettings) -> RotateKeys:
    """Construct what the command line needs to rotate keys beside a running service."""
    store = PostgresStore(database, make_vault(settings))
    return RotateKeys(store, Ed25519KeyGenerator(), settings.rotation, utc_now)


def make_mailer(settings: AuthSettings) -> Mailer:
    """Construct what delivers mail: to a server if there is one, else into a folder."""
    target = settings.mail_target
    if isinstance(target, Path):
        return MaildirMailer(target, settings.mail_sender, utc_now)
    return SmtpMailer(target, settings.mail_sender, utc_now)


def make_vault(settings: AuthSettings) -> Vault:
    """Construct the encryption at rest."""
    return Vault(settings.encryption_key.get_secret_value())


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
