"""What the service's tables are declared in."""

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

CODE_POINT_TEXT = sa.Text(collation="C")
"""Ordered by code points, as Python does, whatever the database's language."""


class CompaniesModel(SQLModel, registry=registry(metadata=sa.MetaData())):
    """Base of the service's tables: services that share a process share no metadata."""
