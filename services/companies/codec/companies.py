"""Companies between protobuf and the domain."""

import uuid

from dashtrack.companies.v1 import company_pb2, company_service_pb2

from services.chassis.errors import UpdateMaskInvalid, invalid_field
from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.companies.domain.companies import Company, CompanyEdit, NewCompany
from services.companies.usecases.pages import Page

_CHANGEABLE = frozenset({"display_name", "time_zone", "language_code"})


def decode_new_company(request: company_service_pb2.CreateCompanyRequest) -> NewCompany:
    """Read what a creation asks for."""
    return NewCompany(
        display_name=request.company.display_name,
        time_zone=request.company.time_zone,
        language_code=request.company.language_code,
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
    mask = set(request.update_mask.paths)
    named = mask or {field for field in _CHANGEABLE if getattr(company, field)}
    if unknown := sorted(named - _CHANGEABLE):
        raise UpdateMaskInvalid(unknown[0])
    edit = CompanyEdit(
        etag=company.etag, **{field: getattr(company, field) for field in sorted(named)}
    )
    return uuid.UUID(company.company_id), edit


def encode_company_page(
    page: Page[Company], request: company_service_pb2.ListCompaniesRequest
) -> company_service_pb2.ListCompaniesResponse:
    """Write a page, and the token that gets the next one."""
    return company_service_pb2.ListCompaniesResponse(
        companies=map(encode_company, page.items),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_company(company: Company) -> company_pb2.Company:
    """Write a company as callers see it."""
    return company_pb2.Company(
        company_id=str(company.company_id),
        display_name=company.display_name,
        time_zone=company.time_zone,
        language_code=company.language_code,
        create_time=encode_time(company.create_time),
        update_time=encode_time(company.update_time),
        etag=company.etag,
    )
