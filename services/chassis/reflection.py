"""Reflection over the whole public contract, whichever service happens to be asked."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import dashtrack
import grpc
from google.protobuf import descriptor, descriptor_pool
from grpc_reflection.v1alpha import reflection

_MODULES = "*_pb2.py"
_INTERNAL = "internal"


def public_files() -> Iterator[descriptor.FileDescriptor]:
    """Find the product's proto files, apart from those that only services see."""
    # The generated packages are namespaces, which pkgutil doesn't walk through.
    for root in map(Path, dashtrack.__path__):
        for path in sorted(root.rglob(_MODULES)):
            parts = path.relative_to(root).with_suffix("").parts
            if _INTERNAL not in parts:
                yield importlib.import_module(".".join(["dashtrack", *parts])).DESCRIPTOR


def add_reflection(server: grpc.aio.Server) -> None:
    """Answer reflection queries about every public service, and about health."""
    # A pool of its own: the default one would tell about the internal files too.
    pool = descriptor_pool.DescriptorPool()
    names = []
    for file in public_files():
        _copy(file, pool)
        names += [service.full_name for service in file.services_by_name.values()]
    for name in (reflection.SERVICE_NAME, "grpc.health.v1.Health"):
        service = descriptor_pool.Default().FindServiceByName(name)
        _copy(service.file, pool)
        names.append(name)
    reflection.enable_server_reflection(sorted(names), server, pool)


def _copy(file: descriptor.FileDescriptor, pool: descriptor_pool.DescriptorPool) -> None:
    for dependency in file.dependencies:
        _copy(dependency, pool)
    pool.AddSerializedFile(file.serialized_pb)
