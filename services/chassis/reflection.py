"""Reflection over the whole public contract, whichever service happens to be asked."""

import importlib
import pkgutil
from collections.abc import Iterator

import dashtrack
import grpc
from google.protobuf import descriptor, descriptor_pool
from grpc_reflection.v1alpha import reflection

_MODULE_SUFFIX = "_pb2"
_INTERNAL = ".internal."


def public_files() -> Iterator[descriptor.FileDescriptor]:
    """Find the product's proto files, apart from those that only services see."""
    for module in pkgutil.walk_packages(dashtrack.__path__, "dashtrack."):
        if module.name.endswith(_MODULE_SUFFIX) and _INTERNAL not in module.name:
            yield importlib.import_module(module.name).DESCRIPTOR


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
