"""What callers can do with people."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.chassis.audit.entries import note_resource
from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import Caller, CreationRequest, Role, TenantScope
from services.users.domain.companies import CompanyStanding
from services.users.domain.errors import CompanyNotFound, FirstMasterKept, OwnAccount
from services.users.domain.lists import ListPosition, UserQuery
from services.users.domain.people import NewUser, User, UserEdit, require_manageable
from services.users.ports import Clock, CompanyDirectory, IdSource, Transactions, UnitOfWork

FIRST_MASTER_ID = uuid.UUID("00000000-0000-7000-8000-000000000001")
"""The id of the first administrator, which auth gives to the first credential."""


@dataclass(frozen=True, slots=True)
class UserPage:
    """A part of a list, and where the next part starts: None on the last."""

    users: Sequence[User]
    next_after: ListPosition | None


@dataclass(frozen=True, slots=True)
class Lapses:
    """How long things take that time decides about."""

    deleted_kept: timedelta
    """How long a deleted person can be had back."""
    invitation_interval: timedelta
    """How long nobody is invited again."""


class UserUseCases:
    """The operations on people."""

    def __init__(
        self,
        transactions: Transactions,
        companies: CompanyDirectory,
        clock: Clock,
        new_id: IdSource,
        lapses: Lapses,
    ) -> None:
        self._transactions = transactions
        self._companies = companies
        self._lapses = lapses
        self._clock = clock
        self._new_id = new_id

    async def create_user(self, caller: Caller, new: NewUser) -> User:
        """Add a person, or return the one whom an earlier try of the request added."""
        require_manageable(caller, new.role)
        if new.company_id is None and new.role is not Role.MASTER:
            new = replace(new, company_id=caller.company_id)
        user = User.create(new, user_id=self._new_id(), now=self._clock())
        standing = None
        if user.company_id is not None:
            standing = await self._standing(caller, user.company_id)
        request = None
        if new.request_id:
            request = CreationRequest.of(caller.principal_id, new.request_id, user.asked_for)
        async with self._transactions.begin() as work:
            if request and (made := await work.users.made_by(caller.scope, request)):
                note_resource("user", made.user_id, made.company_id)
                return made
            note_resource("user", user.user_id, user.company_id)
            await _require_room(work, caller.scope, standing)
            await work.users.add(caller.scope, user, request)
            await work.events.announce(user)
        return user

    async def get_user(self, caller: Caller, user_id: uuid.UUID) -> User:
        """Return a person in the caller's reach."""
        async with self._transactions.begin() as work:
            return await work.users.get(caller.scope, user_id)

    async def get_current_user(self, caller: Caller) -> User:
        """Return the caller."""
        return await self.get_user(caller, caller.user_id)

    async def list_users(
        self, caller: Caller, query: UserQuery, *, after: ListPosition | None, limit: int
    ) -> UserPage:
        """Return a page of the people in the caller's reach whom the query matches."""
        scope = caller.scope
        if query.company_id is not None and query.company_id != caller.company_id:
            scope = await self._scope_of_company(caller, query.company_id)
        async with self._transactions.begin() as work:
            # One more than asked for tells whether there is a next page.
            found = await work.users.list_after(scope, query, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return UserPage(page, None)
        return UserPage(page, ListPosition(query.order.key(page[-1]), page[-1].user_id))

    async def update_user(self, caller: Caller, user_id: uuid.UUID, edit: UserEdit) -> User:
        """Change a person's profile or role."""
        async with self._transactions.begin() as work:
            user = await work.users.get_for_change(caller.scope, user_id)
            note_resource("user", user_id, user.company_id)
            if user_id != caller.principal_id:
                require_manageable(caller, user.role)
            changed = user.edited(edit, self._clock())
            if changed.role != user.role:
                if user_id == caller.principal_id:
                    raise OwnAccount
                require_manageable(caller, changed.role)
            return await _store(work, caller.scope, user, changed)

    async def update_current_user(self, caller: Caller, edit: UserEdit) -> User:
        """Change the caller's own profile."""
        return await self.update_user(caller, caller.user_id, edit)

    async def deactivate_user(self, caller: Caller, user_id: uuid.UUID) -> User:
        """End a person's access; changes nothing if it has ended before."""
        async with self._managed(caller, user_id) as (work, user):
            return await _store(work, caller.scope, user, user.deactivated(self._clock()))

    async def reactivate_user(self, caller: Caller, user_id: uuid.UUID) -> User:
        """Give a person their access back; changes nothing if they have it."""
        async with self._managed(caller, user_id) as (work, user):
            return await _store(work, caller.scope, user, user.reactivated(self._clock()))

    async def resend_invitation(self, caller: Caller, user_id: uuid.UUID) -> User:
        """Have a person sent a fresh invitation."""
        async with self._managed(caller, user_id) as (work, user):
            changed = user.invited_again(self._clock(), self._lapses.invitation_interval)
            await work.users.save(caller.scope, changed)
            await work.events.announce_invited(changed)
        return changed

    async def delete_user(self, caller: Caller, user_id: uuid.UUID) -> User:
        """End a person's access and have them purged later; changes nothing if that was done."""
        async with self._managed(caller, user_id) as (work, user):
            if user_id == FIRST_MASTER_ID:
                raise FirstMasterKept
            changed = user.deleted(self._clock(), self._lapses.deleted_kept)
            return await _store(work, caller.scope, user, changed)

    async def undelete_user(self, caller: Caller, user_id: uuid.UUID) -> User:
        """Bring a deleted person back as they were; changes nothing if they aren't deleted."""
        before, standing = await self.get_user(caller, user_id), None
        if before.delete_time is not None and before.company_id is not None:
            # Nobody is asked while a transaction is open.
            standing = await self._standing(caller, before.company_id)
        async with self._managed(caller, user_id) as (work, user):
            changed = user.undeleted(self._clock())
            if changed is not user:
                if before.delete_time is None:
                    message = "Somebody deleted this person meanwhile."
                    raise EditConflict(message)
                await _require_room(work, caller.scope, standing)
            return await _store(work, caller.scope, user, changed)

    async def ensure_first_master(self, email: str) -> None:
        """Add the first administrator unless that was done before.

        Nothing is announced: auth makes the first credential by itself, and an event would have
        it invite a person who can log in already.
        """
        new = NewUser(email=email, display_name="Administrator", role=Role.MASTER, company_id=None)
        user = User.create(new, user_id=FIRST_MASTER_ID, now=self._clock())
        # The fixed request makes replicas that start together wait for one another.
        request = CreationRequest.of(FIRST_MASTER_ID, FIRST_MASTER_ID, user.asked_for)
        everything = TenantScope.everything()
        async with self._transactions.begin() as work:
            # The settings may name another address than they did: the person keeps theirs.
            with contextlib.suppress(RequestIdReused):
                if await work.users.made_by(everything, request) is None:
                    await work.users.add(everything, user, request)

    @contextlib.asynccontextmanager
    async def _managed(
        self, caller: Caller, user_id: uuid.UUID
    ) -> AsyncIterator[tuple[UnitOfWork, User]]:
        """Open a unit of work on somebody else, whose access the caller decides about."""
        async with self._transactions.begin() as work:
            user = await work.users.get_for_change(caller.scope, user_id)
            note_resource("user", user_id, user.company_id)
            if user_id == caller.principal_id:
                raise OwnAccount
            require_manageable(caller, user.role)
            yield work, user

    async def _scope_of_company(self, caller: Caller, company_id: uuid.UUID) -> TenantScope:
        await self._standing(caller, company_id)
        return TenantScope.company(company_id)

    async def _standing(self, caller: Caller, company_id: uuid.UUID) -> CompanyStanding:
        # A foreign company is refused before anybody is asked, exactly as an unknown one.
        if not caller.scope.includes(company_id):
            raise CompanyNotFound(company_id)
        return await self._companies.require(company_id)


async def _require_room(
    work: UnitOfWork, scope: TenantScope, standing: CompanyStanding | None
) -> None:
    """Make sure that a company may have one more person; masters belong to none."""
    if standing is not None:
        standing.require_room(await work.users.count_for_change(scope, standing.company_id))


async def _store(work: UnitOfWork, scope: TenantScope, user: User, changed: User) -> User:
    if changed is not user:
        await work.users.save(scope, changed)
        await work.events.announce(changed)
    return changed
