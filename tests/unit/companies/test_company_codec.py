"""Companies survive the way to protobuf, and update masks mean what they say."""

import uuid
from datetime import UTC, datetime

import pytest
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import InvalidArgument, UpdateMaskInvalid
from services.chassis.page_tokens import decode_page_start
from services.companies.codec import companies as codec
from services.companies.codec import directory
from services.companies.domain.companies import Company, CompanyEdit
from services.companies.usecases.pages import Page

COMPANY_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
companies = st.builds(
    Company,
    company_id=st.uuids(),
    display_name=texts,
    time_zone=st.sampled_from(["UTC", "Europe/Lisbon"]),
    language_code=st.sampled_from(["en", "pt"]),
    version=st.integers(1, 2**63 - 1),
    create_time=moments,
    update_time=moments,
)


@given(companies)
def test_companies_are_written_whole(company: Company) -> None:
    """Every fact about a company is in the message, in its own field."""
    message = codec.encode_company(company)

    assert message.company_id == str(company.company_id)
    assert message.display_name == company.display_name
    assert (message.time_zone, message.language_code) == (company.time_zone, company.language_code)
    assert message.etag == company.etag
    assert message.create_time.ToDatetime(UTC) == company.create_time
    assert message.update_time.ToDatetime(UTC) == company.update_time
    standing = directory.encode_company_standing(company)
    assert (standing.company_id, standing.time_zone) == (message.company_id, company.time_zone)


def decoded(company: company_pb2.Company, *paths: str) -> CompanyEdit:
    """Decode an update of one company."""
    company.company_id = str(COMPANY_ID)
    mask = FieldMask(paths=paths) if paths else None
    company_id, edit = codec.decode_edit(pb.UpdateCompanyRequest(company=company, update_mask=mask))
    assert company_id == COMPANY_ID
    return edit


def test_without_a_mask_what_is_set_is_changed() -> None:
    """Fields that are left out stay as they are."""
    assert decoded(company_pb2.Company(display_name="Ace")) == CompanyEdit(display_name="Ace")
    assert decoded(company_pb2.Company(etag="7", time_zone="UTC")) == CompanyEdit(
        etag="7", time_zone="UTC"
    )


def test_a_mask_decides_what_is_changed() -> None:
    """What the mask names is changed, even to nothing; what it doesn't stays as it is."""
    company = company_pb2.Company(display_name="Ace", language_code="pt")

    assert decoded(company, "language_code") == CompanyEdit(language_code="pt")
    assert decoded(company, "time_zone") == CompanyEdit(time_zone="")


@pytest.mark.parametrize("path", ["company_id", "create_time", "etag", "nonsense", "*", ""])
def test_masks_name_changeable_fields_only(path: str) -> None:
    """A path that cannot be changed is refused by name, even beside one that can."""
    with pytest.raises(UpdateMaskInvalid) as refusal:
        decoded(company_pb2.Company(display_name="Ace"), "display_name", path)

    assert refusal.value.metadata == {"path": path}


def test_updates_name_their_company() -> None:
    """An update without an id is refused by the name of the field."""
    with pytest.raises(InvalidArgument) as refusal:
        codec.decode_edit(pb.UpdateCompanyRequest(company=company_pb2.Company(display_name="Ace")))

    assert [violation.field for violation in refusal.value.violations] == ["company.company_id"]


def test_the_last_page_has_no_token() -> None:
    """An empty token ends the list, and an empty token starts one."""
    request = pb.ListCompaniesRequest()
    page: Page[Company] = Page([], None)

    assert not codec.encode_company_page(page, request).next_page_token
    assert decode_page_start(request) is None
