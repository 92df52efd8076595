"""Plans between protobuf and the domain."""

from typing import Any

from dashtrack.companies.v1 import plan_service_pb2

from services.chassis.errors import invalid_field
from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.companies.codec.masks import Changeable, named_paths
from services.companies.codec.quotas import QUOTA_NAMES, decode_quotas, encode_quotas
from services.companies.domain.plans import NewPlan, Plan, PlanEdit
from services.companies.usecases.plans import PlanPage

_CHANGEABLE: Changeable = {"display_name": (), "retired": (), "quotas": QUOTA_NAMES}


def decode_new_plan(request: plan_service_pb2.CreatePlanRequest) -> NewPlan:
    """Read what a creation asks for."""
    return NewPlan(
        plan_id=request.plan.plan_id,
        display_name=request.plan.display_name,
        quotas=decode_quotas(request.plan.quotas),
        retired=request.plan.retired,
        request_id=decode_optional_id(request.request_id),
    )


def decode_edit(request: plan_service_pb2.UpdatePlanRequest) -> tuple[str, PlanEdit]:
    """Read which plan an update is for and what it changes.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
        InvalidArgument: the id is missing.
    """
    plan = request.plan
    if not plan.plan_id:
        raise invalid_field("plan.plan_id", "The id is required.")
    quotas: dict[str, int] = {}
    values: dict[str, Any] = {}
    for path in named_paths(plan, request.update_mask, _CHANGEABLE):
        name, _, quota = path.partition(".")
        if quota:
            quotas[quota] = getattr(plan.quotas, quota)
        else:
            values[name] = getattr(plan, name)
    return plan.plan_id, PlanEdit(quotas=quotas, etag=plan.etag, **values)


def decode_position(request: plan_service_pb2.ListPlansRequest) -> str | None:
    """Read after which id a page starts: None at the beginning.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters.
    """
    if not request.page_token:
        return None
    found = decode_page_token(request.page_token, fingerprint(request))
    if "after" not in found:
        raise PageTokenInvalid
    return str(found["after"])


def encode_plan_page(
    page: PlanPage, request: plan_service_pb2.ListPlansRequest
) -> plan_service_pb2.ListPlansResponse:
    """Write a page, and the token that gets the next one."""
    response = plan_service_pb2.ListPlansResponse(plans=map(encode_plan, page.plans))
    if page.next_after is not None:
        position = {"after": page.next_after}
        response.next_page_token = encode_page_token(position, fingerprint(request))
    return response


def encode_plan(plan: Plan) -> plan_service_pb2.Plan:
    """Write a plan."""
    return plan_service_pb2.Plan(
        plan_id=plan.plan_id,
        display_name=plan.display_name,
        quotas=encode_quotas(plan.quotas),
        retired=plan.retired,
        create_time=encode_time(plan.create_time),
        update_time=encode_time(plan.update_time),
        etag=plan.etag,
    )
