"""The generator: repeatable, strict about protoc's warnings, complete in its descriptor set."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from protos import generate


def test_the_committed_code_is_what_the_generator_makes(tmp_path: Path) -> None:
    """Generating anew changes nothing, so the output depends on nothing but the contract."""
    generate.generate(tmp_path)

    assert generate.differences(tmp_path, generate.GENERATED) == []


def test_differences_are_named_and_replaced(tmp_path: Path) -> None:
    """Changed, missing and left-over files are each reported, and all are gone after replacing."""
    fresh, committed = tmp_path / "fresh", tmp_path / "committed"
    for folder, files in (
        (fresh, {"same.py": "1", "changed.py": "2", "new/added.py": "3"}),
        (committed, {"same.py": "1", "changed.py": "0", "gone.py": "4"}),
    ):
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, "utf-8")

    assert generate.differences(fresh, committed) == [
        "out of date: changed.py",
        "left over: gone.py",
        "missing: new/added.py",
    ]
    assert generate.replace(fresh, committed) == 3
    assert generate.differences(fresh, committed) == []


def test_the_descriptor_set_stands_alone(tmp_path: Path) -> None:
    """Every import is in it, before its importer, so that any reader can load it in order."""
    target = tmp_path / "contract.binpb"
    generate.descriptor_set(target)
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file

    seen: set[str] = set()
    for file in files:
        assert seen.issuperset(file.dependency), file.name
        seen.add(file.name)
    assert seen.issuperset(generate.proto_files())
    assert seen.issuperset(
        {
            "buf/validate/validate.proto",
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
            "grpc_health/v1/health.proto",
            "grpc_reflection/v1alpha/reflection.proto",
        }
    )


def test_the_descriptor_set_has_the_comments(tmp_path: Path) -> None:
    """The API's documentation is generated from them."""
    target = tmp_path / "contract.binpb"
    generate.descriptor_set(target)
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file

    (users,) = (file for file in files if file.name == "dashtrack/users/v1/user_service.proto")
    comments = [location.leading_comments for location in users.source_code_info.location]
    assert any("CreateUser adds a person" in comment for comment in comments)


def test_a_warning_of_protoc_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unused import makes protoc warn, and the generator stops."""
    folder = tmp_path / "dashtrack" / "odd" / "v1"
    folder.mkdir(parents=True)
    (folder / "odd.proto").write_text(
        'syntax = "proto3";\npackage dashtrack.odd.v1;\nimport "google/protobuf/empty.proto";\n',
        "utf-8",
    )
    monkeypatch.setattr(generate, "PROTOS", tmp_path)

    with pytest.raises(generate.GenerationError, match="unused"):
        generate.generate(tmp_path)
