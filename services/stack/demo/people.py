"""The demo's company and its people, who accept the invitations in their mailbox."""

import asyncio
import email
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from services.auth.domain.mails import INVITATION_CODE_HEADER
from services.stack.demo.rest import Refused, Rest
from services.stack.demo.state import Credentials, DemoState

COMPANY = "Demo Logistics"
COMPANY_ADMIN, MANAGER, DRIVER = "company_admin", "manager", "driver"
_NAMES = {COMPANY_ADMIN: "Ana Admin", MANAGER: "Miguel Manager", DRIVER: "Dina Driver"}
_MAIL_PATIENCE_S = 20.0
_MAIL_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in."""

    role: str
    email: str
    company_id: str
    token: str = field(repr=False)


class People:
    """Finds the demo's people, or makes them."""

    def __init__(self, rest: Rest, state: DemoState, mailbox: Path) -> None:
        self._rest = rest
        self._state = state
        self._mailbox = mailbox

    async def returning(self, role: str) -> Person | None:
        """Log somebody in whose password is known from an earlier run."""
        known = self._state.person(role)
        if known is None:
            return None
        try:
            session = await self._rest.log_in({"email": known.email, "password": known.password})
        except Refused as err:
            if err.reason != "CREDENTIALS_INVALID":
                raise
            return None
        return Person(role, known.email, session["companyId"], session["accessToken"])

    async def invited(self, role: str, company_id: str, token: str) -> Person:
        """Have somebody invited and accept the invitation for them."""
        address = f"{role.replace('_', '-')}@demo.example"
        try:
            return await self._accept(role, address, company_id, token)
        except Refused as err:
            if err.reason not in {"INVITATION_INVALID", "EMAIL_TAKEN"}:
                raise
        # This person has a password that nobody knows any more: they get a namesake.
        namesake = address.replace("@", f"-{secrets.token_hex(3)}@")
        return await self._accept(role, namesake, company_id, token)

    async def company(self, token: str) -> str:
        """Return the id of the demo's company, which is made unless it is there."""
        companies = await self._rest.everything("/v1/companies", "companies", token=token)
        for known in companies:
            if known["displayName"] == COMPANY:
                return str(known["companyId"])
        company = {"displayName": COMPANY, "timeZone": "Europe/Lisbon"}
        made = await self._rest.create("/v1/companies", {"company": company}, token=token)
        return str(made["companyId"])

    async def _accept(self, role: str, address: str, company_id: str, token: str) -> Person:
        known = await self._rest.everything("/v1/users", "users", token=token, companyId=company_id)
        if address not in {user["email"] for user in known}:
            user = {
                "email": address,
                "displayName": _NAMES[role],
                "role": f"ROLE_{role.upper()}",
                "companyId": company_id,
            }
            await self._rest.create("/v1/users", {"user": user}, token=token)
        code = await self._invitation_code(address)
        credentials = Credentials(address, secrets.token_urlsafe(18))
        # Remembered first: an answer that gets lost doesn't lock anybody out.
        self._state.remember(role, credentials)
        session = await self._rest.call(
            "POST",
            "/v1/auth:acceptInvitation",
            {"invitationCode": code, "password": credentials.password},
        )
        return Person(role, address, company_id, session["accessToken"])

    async def _invitation_code(self, address: str) -> str:
        give_in_s = time.monotonic() + _MAIL_PATIENCE_S
        while time.monotonic() < give_in_s:
            code = await asyncio.to_thread(self._newest_code, address)
            if code:
                return code
            await asyncio.sleep(_MAIL_PAUSE_S)
        raise Refused("mailbox", 404, "INVITATION_INVALID", f"no invitation came for {address}")

    def _newest_code(self, address: str) -> str | None:
        mails = [path for folder in ("new", "cur") for path in (self._mailbox / folder).glob("*")]
        for path in sorted(mails, key=lambda mail: mail.stat().st_mtime, reverse=True):
            message = email.message_from_bytes(path.read_bytes())
            if message["To"] == address and message[INVITATION_CODE_HEADER]:
                return str(message[INVITATION_CODE_HEADER])
        return None
