"""Quotas between protobuf and the domain."""

import dataclasses

from dashtrack.companies.v1 import company_pb2

from services.companies.domain.quotas import Quotas

QUOTA_NAMES = tuple(field.name for field in dataclasses.fields(Quotas))


def decode_quotas(quotas: company_pb2.Quotas) -> Quotas:
    """Read quotas."""
    return Quotas(**{name: getattr(quotas, name) for name in QUOTA_NAMES})


def encode_quotas(quotas: Quotas) -> company_pb2.Quotas:
    """Write quotas."""
    return company_pb2.Quotas(**dataclasses.asdict(quotas))
