"""Queries see what their scope includes."""

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from services.chassis.identity import TenantScope


def within(company_id: Mapped[uuid.UUID], scope: TenantScope) -> sa.ColumnElement[bool]:
    """Restrict a query to the rows whose company the scope includes."""
    return sa.true() if scope.company_id is None else company_id == scope.company_id
