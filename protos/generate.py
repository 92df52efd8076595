"""Generates Python code and descriptor sets from the proto files; `make generate` runs it.

Everything comes from installed packages, so that it works without network: protoc from
grpcio-tools, `google/api` and `google/rpc` from googleapis-common-protos, and the descriptors of
packages that ship no proto files (protovalidate, gRPC health and reflection) from their code.
"""

import argparse
import contextlib
import functools
import importlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2

PROTOS = Path(__file__).resolve().parent
GENERATED = PROTOS / "gen"
VALIDATE_PROTO = "buf/validate/validate.proto"

# These travel in the descriptor set although no proto of ours imports them: error details are
# packed in google.protobuf.Any, health and reflection are served beside our services.
GOOGLE_RPC_PROTOS = ("google/rpc/error_details.proto", "google/rpc/status.proto")
GRPC_SERVICE_MODULES = ("grpc_health.v1.health_pb2", "grpc_reflection.v1alpha.reflection_pb2")


class GenerationError(Exception):
    """Protoc failed, or warned about something."""


def proto_files() -> list[str]:
    """Return the contract's proto files, relative to this folder, in a stable order."""
    return sorted(
        path.relative_to(PROTOS).as_posix() for path in PROTOS.glob("dashtrack/**/*.proto")
    )


def descriptor_set(destination: Path) -> None:
    """Write one FileDescriptorSet with the contract, all it imports, comments, and gRPC's own."""
    with _include_arguments() as include:
        _protoc(
            *include,
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={destination.resolve()}",
            *proto_files(),
            *GOOGLE_RPC_PROTOS,
            *(file.name for file in _grpc_service_files()),
        )


def generate(destination: Path) -> None:
    """Write the messages, stubs and type stubs of the whole contract below `destination`."""
    files = proto_files()
    with_services = [name for name in files if "\nservice " in (PROTOS / name).read_text("utf-8")]
    with _include_arguments() as include:
        _protoc(
            *include,
            _plugin("mypy"),
            f"--python_out={destination}",
            f"--mypy_out=quiet,readable_stubs:{destination}",
            *files,
            VALIDATE_PROTO,
        )
        if with_services:
            _protoc(
                *include,
                _plugin("mypy_grpc"),
                f"--grpc_python_out={destination}",
                # Everything here runs on grpc.aio, so the stubs need no synchronous half.
                f"--mypy_grpc_out=quiet,readable_stubs,only_async:{destination}",
                *with_services,
            )


def differences(fresh: Path, committed: Path) -> list[str]:
    """Say, a line a file, how the committed code differs from freshly generated code."""
    fresh_files, committed_files = _contents(fresh), _contents(committed)
    found = []
    for name in sorted(fresh_files.keys() | committed_files.keys()):
        if name not in committed_files:
            found.append(f"missing: {name}")
        elif name not in fresh_files:
            found.append(f"left over: {name}")
        elif fresh_files[name] != committed_files[name]:
            found.append(f"out of date: {name}")
    return found


def replace(fresh: Path, committed: Path) -> int:
    """Make `committed` equal to `fresh`, touching only files that differ; return how many did."""
    fresh_files, committed_files = _contents(fresh), _contents(committed)
    changed = 0
    for name in committed_files.keys() - fresh_files.keys():
        (committed / name).unlink()
        changed += 1
    for name, content in fresh_files.items():
        if committed_files.get(name) != content:
            target = committed / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            changed += 1
    return changed


def _contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@functools.cache
def _grpc_service_files() -> tuple[descriptor_pb2.FileDescriptorProto, ...]:
    return tuple(
        descriptor_pb2.FileDescriptorProto.FromString(
            importlib.import_module(name).DESCRIPTOR.serialized_pb
        )
        for name in GRPC_SERVICE_MODULES
    )


def _validate_file() -> descriptor_pb2.FileDescriptorProto:
    # The wheel has no validate.proto, but the descriptor in its generated code is the same thing.
    module = importlib.import_module("protovalidate._gen.buf.validate.validate_pb")
    descriptor = module._DESC.proto  # noqa: SLF001
    return descriptor_pb2.FileDescriptorProto.FromString(descriptor.to_binary())


@contextlib.contextmanager
def _include_arguments() -> Iterator[list[str]]:
    """Yield protoc's arguments that say where imports are found."""
    tools = _package_folder("grpc_tools") / "_proto"
    common_protos = _package_folder("google.rpc").parent.parent
    without_source = descriptor_pb2.FileDescriptorSet(
        file=[_validate_file(), *_grpc_service_files()]
    )
    with tempfile.NamedTemporaryFile(suffix=".binpb") as packaged:
        packaged.write(without_source.SerializeToString(deterministic=True))
        packaged.flush()
        yield [
            f"--proto_path={PROTOS}",
            f"--proto_path={common_protos}",
            f"--proto_path={tools}",
            f"--descriptor_set_in={packaged.name}",
        ]


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        message = f"package {name} is not installed: run `make venv`"
        raise GenerationError(message)
    return Path(next(iter(spec.submodule_search_locations)))


def _plugin(name: str) -> str:
    # Named by path: the virtual environment need not be active, so PATH may not have it.
    executable = Path(sys.executable).parent / f"protoc-gen-{name}"
    if not executable.is_file():
        message = f"{executable.name} is not installed: run `make venv`"
        raise GenerationError(message)
    return f"--plugin={executable}"


def _protoc(*arguments: str) -> None:
    """Run protoc and fail if it says anything at all: a warning today is a break tomorrow."""
    result = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *arguments],
        cwd=PROTOS,
        capture_output=True,
        text=True,
        check=False,
    )
    said = (result.stdout + result.stderr).strip()
    if result.returncode != 0 or said:
        raise GenerationError(said or f"protoc ended with status {result.returncode}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="protos/generate.py", description=main.__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="fail if protos/gen is out of date")
    mode.add_argument("--descriptor-set", type=Path, metavar="OUT", help="write this file instead")
    options = parser.parse_args(arguments)
    try:
        if options.descriptor_set:
            descriptor_set(options.descriptor_set)
            return 0
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder)
            generate(fresh)
            if not options.check:
                print(f"protos/gen: {replace(fresh, GENERATED)} files changed")
                return 0
            found = differences(fresh, GENERATED)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("protos/gen is out of date: run `make generate` and commit it", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
