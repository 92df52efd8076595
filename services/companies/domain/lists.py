"""Which companies a list holds, and in which order."""

import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.companies.domain.companies import Company, CompanyState
from services.companies.domain.orders import parsed_order
from services.companies.domain.search import folded, sort_name

SortKey = str | datetime


class OrderField(enum.StrEnum):
    """What a list may be ordered by."""

    CREATE_TIME = "create_time"
    DISPLAY_NAME = "display_name"


@dataclass(frozen=True, slots=True)
class CompanyOrder:
    """The order of a list; companies with the same key are in the order of their ids."""

    field: OrderField = OrderField.CREATE_TIME
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an order such as `display_name desc`; oldest first if there is none.

        Raises:
            InvalidArgument: it is no order of this list.
        """
        return cls(*parsed_order(text, OrderField)) if text else cls()

    def key(self, company: Company) -> SortKey:
        """Return what a company is ordered by."""
        match self.field:
            case OrderField.CREATE_TIME:
                return company.create_time
            case OrderField.DISPLAY_NAME:
                return sort_name(company.display_name)


@dataclass(frozen=True, slots=True)
class ListPosition:
    """What a page ends with: the next one goes on from there, whatever was added meanwhile."""

    key: SortKey
    company_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class CompanyQuery:
    """What is asked of a list; what is None doesn't matter."""

    state: CompanyState | None = None
    plan_id: str | None = None
    words: Sequence[str] = ()
    """Folded; each occurs in the name."""
    order: CompanyOrder = CompanyOrder()
    show_deleted: bool = False

    @property
    def holds_deleted(self) -> bool:
        """Whether what is left of deleted companies is listed."""
        return self.show_deleted or self.state is CompanyState.DELETED

    def matches(self, company: Company) -> bool:
        """Tell whether the list holds a company that its scope includes."""
        return (
            self.state in {None, company.state}
            and self.plan_id in {None, company.plan_id}
            and (self.holds_deleted or company.state is not CompanyState.DELETED)
            and all(word in folded(company.display_name) for word in self.words)
        )
