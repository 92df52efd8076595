"""Companies survive the way to protobuf, and update masks mean what they say."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as pb
from dashtrack.companies.v1.company_events_pb2 import CompanyChanged
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import InvalidArgument, UpdateMaskInvalid
from services.chassis.identity import Role
from services.chassis.page_tokens import PageTokenInvalid
from services.companies.codec import companies as codec
from services.companies.codec import directory
from services.companies.codec.companies import STATE_NUMBERS
from services.companies.codec.events import encode_company_changed
from services.companies.codec.quotas import QUOTA_NAMES, decode_quotas
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, Suspension
from services.companies.domain.deletions import Deletion, DeletionStep
from services.companies.domain.demands import AlertDefaults, SecuritySettings
from services.companies.domain.lists import CompanyOrder, CompanyQuery, ListPosition, OrderField
from services.companies.domain.quotas import Quotas
from services.companies.usecases.companies import CompanyPage

COMPANY_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
times = st.none() | moments
companies = st.builds(
    Company,
    company_id=st.uuids(),
    display_name=texts,
    time_zone=st.sampled_from(["UTC", "Europe/Lisbon"]),
    language_code=st.sampled_from(["en", "pt"]),
    state=st.sampled_from(CompanyState),
    plan_id=st.sampled_from(["starter", "standard"]),
    plan_version=st.integers(0, 10),
    quotas=st.builds(Quotas, **{name: st.integers(0, 1000) for name in QUOTA_NAMES}),
    security=st.builds(
        SecuritySettings,
        sessions_per_user_max=st.integers(0, 1000),
        two_factor_roles=st.lists(st.sampled_from(Role), unique=True),
    ),
    alert_defaults=st.builds(
        AlertDefaults,
        offline_after_s=st.integers(0, 1000),
        remind_after_s=st.integers(0, 1000),
        emails=st.lists(texts),
    ),
    suspension=st.none() | st.builds(Suspension, moments, texts),
    deletion=st.none()
    | st.builds(
        Deletion,
        request_time=moments,
        ask_time=moments,
        steps=st.lists(st.builds(DeletionStep, texts, times)),
        complete_time=times,
    ),
    version=st.integers(1, 2**63 - 1),
    create_time=moments,
    update_time=moments,
)


def moment(message: Any, field: str) -> datetime | None:
    """Read a moment that may not be set."""
    return getattr(message, field).ToDatetime(UTC) if message.HasField(field) else None


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
    assert (message.state, message.plan_id) == (STATE_NUMBERS[company.state], company.plan_id)
    assert decode_quotas(message.quotas) == company.quotas
    assert message.security == codec.encode_security(company.security)
    alerts = message.alert_defaults
    assert (alerts.offline_after_s, alerts.remind_after_s, list(alerts.emails)) == (
        company.alert_defaults.offline_after_s,
        company.alert_defaults.remind_after_s,
        company.alert_defaults.emails,
    )


@given(companies)
def test_suspensions_and_deletions_are_written_whole(company: Company) -> None:
    """What is under way is there with its times, and absent if nothing is."""
    message = codec.encode_company(company)

    assert message.HasField("suspension") is (company.suspension is not None)
    if company.suspension is not None:
        assert moment(message.suspension, "suspend_time") == company.suspension.suspend_time
        assert message.suspension.reason == company.suspension.reason
    assert message.HasField("deletion") is (company.deletion is not None)
    if company.deletion is not None:
        found = message.deletion
        assert moment(found, "request_time") == company.deletion.request_time
        assert moment(found, "complete_time") == company.deletion.complete_time
        assert [
            DeletionStep(step.service, moment(step, "done_time")) for step in found.steps
        ] == company.deletion.steps


@given(companies)
def test_other_services_get_what_they_need(company: Company) -> None:
    """The standing and the event say the same as the company."""
    standing = directory.encode_company_standing(company)
    event_id = uuid.uuid4()
    event = CompanyChanged.FromString(encode_company_changed(event_id, company))

    for told in (standing, event):
        assert told.company_id == str(company.company_id)
        assert told.state == STATE_NUMBERS[company.state]
        assert told.time_zone == company.time_zone
        assert decode_quotas(told.quotas) == company.quotas
    assert (event.event_id, event.version) == (str(event_id), company.version)
    assert event.occur_time.ToDatetime(UTC) == company.update_time
    assert (event.display_name, event.language_code) == (
        company.display_name,
        company.language_code,
    )
    assert event.security == codec.encode_security(company.security)


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


def test_masks_reach_into_messages() -> None:
    """A message that is named is changed whole; a field of it is changed alone."""
    company = company_pb2.Company(plan_id="starter")
    company.security.sessions_per_user_max = 3
    company.alert_defaults.emails.append("fleet@example.com")
    emails = {"emails": ("fleet@example.com",)}

    assert decoded(company) == CompanyEdit(
        plan_id="starter", security={"sessions_per_user_max": 3}, alert_defaults=emails
    )
    assert decoded(company, "security") == CompanyEdit(
        security={"sessions_per_user_max": 3, "two_factor_roles": ()}
    )
    assert decoded(company, "alert_defaults.emails") == CompanyEdit(alert_defaults=emails)
    assert decoded(company, "security.two_factor_roles", "plan_id") == CompanyEdit(
        plan_id="starter", security={"two_factor_roles": ()}
    )


@pytest.mark.parametrize(
    "path",
    [
        "company_id",
        "security.nonsense",
        "state",
        "quotas",
        "create_time",
        "etag",
        "nonsense",
        "*",
        "",
    ],
)
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


@given(companies, st.sampled_from(OrderField))
def test_page_tokens_lead_on_within_their_list(company: Company, field: OrderField) -> None:
    """A token leads to where its page ended, and is refused by another filter or order."""
    order = CompanyOrder(field)
    request = pb.ListCompaniesRequest(order_by=field.value, plan_id="standard")
    position = ListPosition(order.key(company), company.company_id)
    token = codec.encode_company_page(CompanyPage([], position), request).next_page_token
    request.page_token, request.page_size = token, 7

    assert codec.decode_position(request, order) == position
    for other in (
        pb.ListCompaniesRequest(page_token=token, order_by=field.value),
        pb.ListCompaniesRequest(page_token=token, order_by="display_name desc", plan_id="standard"),
    ):
        with pytest.raises(PageTokenInvalid):
            codec.decode_position(other, order)


def test_the_last_page_has_no_token() -> None:
    """An empty token ends the list, and an empty token starts one."""
    request = pb.ListCompaniesRequest()

    assert not codec.encode_company_page(CompanyPage([], None), request).next_page_token
    assert codec.decode_position(request, CompanyOrder()) is None


def test_lists_are_asked_for_by_every_filter() -> None:
    """Each field of the request is a part of the question; left out, it asks nothing."""
    request = pb.ListCompaniesRequest(
        state=company_pb2.Company.STATE_SUSPENDED,
        plan_id="starter",
        query="ÁGUA viva",
        order_by="display_name desc",
        show_deleted=True,
    )

    assert codec.decode_query(request) == CompanyQuery(
        CompanyState.SUSPENDED,
        "starter",
        ["agua", "viva"],
        CompanyOrder(OrderField.DISPLAY_NAME, descending=True),
        show_deleted=True,
    )
    assert codec.decode_query(pb.ListCompaniesRequest()) == CompanyQuery(words=[])
