"""What auth does by itself: keys follow each other, mail goes out, what is over is forgotten."""

from datetime import timedelta

from services.auth.domain import keys
from services.auth.domain.api_keys import KEPT_AFTER_END
from services.auth.domain.credentials import PURGED_KEPT
from services.auth.domain.keys import RotationPolicy, SigningKey
from services.auth.domain.mails import Mail, retry_delay
from services.auth.domain.sessions import SessionCounts
from services.auth.domain.tokens import Lifetimes
from services.auth.ports import Clock, Store, Transaction
from services.auth.ports.keys import KeyGenerator
from services.auth.ports.mails import Mailer, MailUndeliverable
from services.chassis.identity import TenantScope

_KEYS_WORK = "signing-keys"
_PRUNING_WORK = "pruning"
_ACTIVE_WITHIN = timedelta(minutes=15)
_MAIL_LEASE = timedelta(minutes=1)


class RotateKeys:
    """Makes the first signing key, and each next one well before it signs."""

    def __init__(
        self, store: Store, generator: KeyGenerator, policy: RotationPolicy, clock: Clock
    ) -> None:
        self._store = store
        self._generator = generator
        self._policy = policy
        self._clock = clock

    async def ensure_first(self) -> None:
        """Make a key that signs at once, unless there are keys; replicas make one together."""
        async with self._store.transaction() as tx:
            await tx.exclude_others(_KEYS_WORK)
            now = self._clock()
            if not await tx.signing_keys.list_published(now):
                await tx.signing_keys.save(self._generator.generate(now))

    async def rotate(self) -> SigningKey:
        """Publish the next key; if one is published already, return that."""
        async with self._store.transaction() as tx:
            await tx.exclude_others(_KEYS_WORK)
            return await self._rotate(tx)

    async def rotate_if_due(self) -> None:
        """Publish the next key once the current one has signed for long enough."""
        async with self._store.transaction() as tx:
            await tx.exclude_others(_KEYS_WORK)
            now = self._clock()
            current = keys.signer(await tx.signing_keys.list_published(now), now)
            if now >= current.signs_from + self._policy.interval:
                await self._rotate(tx)

    async def _rotate(self, tx: Transaction) -> SigningKey:
        now = self._clock()
        published = await tx.signing_keys.list_published(now)
        pending = keys.pending(published, now)
        if pending is not None:
            return pending
        fresh = self._generator.generate(now + self._policy.overlap)
        for key in published:
            last_use = fresh.signs_from + self._policy.longest_token
            await tx.signing_keys.save(key.superseded(last_use))
        await tx.signing_keys.save(fresh)
        return fresh


class SendMail:
    """Sends the mail that is due."""

    def __init__(self, store: Store, mailer: Mailer, clock: Clock) -> None:
        self._store = store
        self._mailer = mailer
        self._clock = clock

    async def send_next(self) -> bool:
        """Send one mail, if one is due; tell whether one was.

        A mail is leased first and taken off the queue after it went out: who dies in between
        leaves it to be sent again once the lease is over, and the mailer knows it by its id.

        Raises:
            MailUndeliverable: the mail was dropped.
            OSError: the mailer failed; the mail is due again later.
        """
        async with self._store.transaction() as tx:
            queued = await tx.mails.lease(self._clock(), _MAIL_LEASE)
        if queued is None:
            return False
        if not self._is_pointless(queued.mail):
            try:
                await self._mailer.send(queued.mail)
            except MailUndeliverable:
                await self._remove(queued.mail)
                raise
            except OSError:
                until = self._clock() + retry_delay(queued.attempts)
                async with self._store.transaction() as tx:
                    await tx.mails.postpone(queued.mail.mail_id, until)
                raise
        await self._remove(queued.mail)
        return True

    async def _remove(self, mail: Mail) -> None:
        async with self._store.transaction() as tx:
            await tx.mails.remove(mail.mail_id)

    def _is_pointless(self, mail: Mail) -> bool:
        return mail.expires_at is not None and mail.expires_at <= self._clock()


class Prune:
    """Forgets what can't matter any more."""

    def __init__(self, store: Store, lifetimes: Lifetimes, clock: Clock) -> None:
        self._store = store
        self._lifetimes = lifetimes
        self._clock = clock

    async def __call__(self) -> None:
        """Prune everything, unless another replica is at it."""
        async with self._store.transaction() as tx:
            if not await tx.try_exclude_others(_PRUNING_WORK):
                return
            now = self._clock()
            await tx.sessions.prune(now - self._lifetimes.refresh_token, now)
            await tx.purged_people.prune(now - PURGED_KEPT)
            await tx.invitations.prune(now)
            await tx.password_resets.prune(now)
            await tx.email_changes.prune(now)
            await tx.api_keys.prune(TenantScope.everything(), now - KEPT_AFTER_END)
            await tx.attempts.prune(now)
            await tx.signing_keys.prune(now)
            await tx.revocations.prune(now)


class CountSessions:
    """Counts sessions and the people behind them."""

    def __init__(self, store: Store, lifetimes: Lifetimes, clock: Clock) -> None:
        self._store = store
        self._lifetimes = lifetimes
        self._clock = clock

    async def __call__(self) -> SessionCounts:
        """Count sessions that can go on, and people whose session was used just now."""
        now = self._clock()
        async with self._store.transaction() as tx:
            return await tx.sessions.count(
                now - self._lifetimes.refresh_token, now - _ACTIVE_WITHIN, now
            )
