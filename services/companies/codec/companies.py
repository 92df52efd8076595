"""Companies between protobuf and the domain."""

import dataclasses
import uuid
from datetime import datetime
from typing import Any

from dashtrack.companies.v1 import company_pb2, company_service_pb2

from services.chassis.errors import invalid_field
from services.chassis.fields import ROLE_NUMBERS, ROLES, decode_optional_id, encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.companies.codec.masks import Changeable, named_paths
from services.companies.codec.quotas import encode_quotas
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.deletions import Deletion
from services.companies.domain.demands import AlertDefaults, SecuritySettings
from services.companies.domain.lists import CompanyOrder, CompanyQuery, ListPosition, OrderField
from services.companies.domain.search import words_of
from services.companies.usecases.companies import CompanyPage

STATE_NUMBERS = {
    state: company_pb2.Company.State.Value(f"STATE_{state.name}") for state in CompanyState
}
_STATES = {number: state for state, number in STATE_NUMBERS.items()}
_CHANGEABLE: Changeable = {
    "display_name": (),
    "time_zone": (),
    "language_code": (),
    "plan_id": (),
    "security": ("sessions_per_user_max", "two_factor_roles"),
    "alert_defaults": ("offline_after_s", "remind_after_s", "emails"),
}


def decode_new_company(request: company_service_pb2.CreateCompanyRequest) -> NewCompany:
    """Read what a creation asks for."""
    company = request.company
    return NewCompany(
        display_name=company.display_name,
        time_zone=company.time_zone,
        language_code=company.language_code,
        plan_id=company.plan_id,
        security=_decode_security(company.security),
        alert_defaults=_decode_alert_defaults(company.alert_defaults),
        request_id=decode_optional_id(request.request_id),
    )


def decode_edit(
    request: company_service_pb2.UpdateCompanyRequest,
) -> tuple[uuid.UUID, CompanyEdit]:
    """Read which company an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing.
    """
    company = request.company
    if not company.company_id:
        raise invalid_field("company.company_id", "The id is required.")
    values: dict[str, Any] = {"security": {}, "alert_defaults": {}}
    whole = {
        "security": _decode_security(company.security),
        "alert_defaults": _decode_alert_defaults(company.alert_defaults),
    }
    for path in named_paths(company, request.update_mask, _CHANGEABLE):
        name, _, field = path.partition(".")
        if field:
            values[name][field] = getattr(whole[name], field)
        else:
            values[name] = getattr(company, name)
    return uuid.UUID(company.company_id), CompanyEdit(etag=company.etag, **values)


def decode_query(request: company_service_pb2.ListCompaniesRequest) -> CompanyQuery:
    """Read what is asked of a list.

    Raises:
        InvalidArgument: the words or the order cannot be understood.
    """
    return CompanyQuery(
        state=_STATES[request.state] if request.state else None,
        plan_id=request.plan_id or None,
        words=words_of(request.query),
        order=CompanyOrder.parse(request.order_by),
        show_deleted=request.show_deleted,
    )


def decode_position(
    request: company_service_pb2.ListCompaniesRequest, order: CompanyOrder
) -> ListPosition | None:
    """Read where a page starts: None at the beginning.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters and this order.
    """
    if not request.page_token:
        return None
    found = decode_page_token(request.page_token, fingerprint(request))
    try:
        key, company_id = str(found["key"]), uuid.UUID(str(found["after"]))
        if order.field is OrderField.CREATE_TIME:
            return ListPosition(datetime.fromisoformat(key), company_id)
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err
    return ListPosition(key, company_id)


def encode_company_page(
    page: CompanyPage, request: company_service_pb2.ListCompaniesRequest
) -> company_service_pb2.ListCompaniesResponse:
    """Write a page, and the token that gets the next one."""
    response = company_service_pb2.ListCompaniesResponse(
        companies=map(encode_company, page.companies)
    )
    if page.next_after is not None:
        key = page.next_after.key
        position = {
            "key": key.isoformat() if isinstance(key, datetime) else key,
            "after": str(page.next_after.company_id),
        }
        response.next_page_token = encode_page_token(position, fingerprint(request))
    return response


def encode_company(company: Company) -> company_pb2.Company:
    """Write a company as callers see it."""
    message = company_pb2.Company(
        company_id=str(company.company_id),
        display_name=company.display_name,
        time_zone=company.time_zone,
        language_code=company.language_code,
        create_time=encode_time(company.create_time),
        update_time=encode_time(company.update_time),
        etag=company.etag,
        state=STATE_NUMBERS[company.state],
        plan_id=company.plan_id,
        quotas=encode_quotas(company.quotas),
        security=encode_security(company.security),
        alert_defaults=company_pb2.AlertDefaults(**dataclasses.asdict(company.alert_defaults)),
    )
    if company.suspension is not None:
        message.suspension.suspend_time.CopyFrom(encode_time(company.suspension.suspend_time))
        message.suspension.reason = company.suspension.reason
    if company.deletion is not None:
        message.deletion.CopyFrom(_encode_deletion(company.deletion))
    return message


def encode_security(security: SecuritySettings) -> company_pb2.SecuritySettings:
    """Write what a company demands of logins."""
    return company_pb2.SecuritySettings(
        sessions_per_user_max=security.sessions_per_user_max,
        two_factor_roles=[ROLE_NUMBERS[role] for role in security.two_factor_roles],
    )


def _decode_security(security: company_pb2.SecuritySettings) -> SecuritySettings:
    return SecuritySettings(
        sessions_per_user_max=security.sessions_per_user_max,
        two_factor_roles=tuple(ROLES[role] for role in security.two_factor_roles),
    )


def _decode_alert_defaults(defaults: company_pb2.AlertDefaults) -> AlertDefaults:
    return AlertDefaults(
        offline_after_s=defaults.offline_after_s,
        remind_after_s=defaults.remind_after_s,
        emails=tuple(defaults.emails),
    )


def _encode_deletion(deletion: Deletion) -> company_pb2.Deletion:
    return company_pb2.Deletion(
        request_time=encode_time(deletion.request_time),
        steps=[
            company_pb2.Deletion.Step(
                service=step.service,
                done_time=encode_time(step.done_time) if step.done_time else None,
            )
            for step in deletion.steps
        ],
        complete_time=encode_time(deletion.complete_time) if deletion.complete_time else None,
    )
