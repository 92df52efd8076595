"""What the demo remembers, so that it can be run again: people's passwords and boards' secrets."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person logs in with."""

    email: str
    password: str

    def __repr__(self) -> str:
        """Return a text without the password."""
        return f"Credentials({self.email!r})"


class DemoState:
    """A file that only its owner reads: credentials by role."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "demo.json"
        self.boards = folder / "demo-boards"
        """The folder of the boards' identities."""

    def person(self, role: str) -> Credentials | None:
        """Return a person's credentials if they are known."""
        entry = self._content().get(role)
        return Credentials(**entry) if entry else None

    def remember(self, role: str, credentials: Credentials) -> None:
        """Keep a person's credentials; a crash leaves the old file or the new one."""
        content = self._content() | {role: asdict(credentials)}
        unfinished = self.file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
        unfinished.replace(self.file)

    def _content(self) -> dict[str, dict[str, str]]:
        content: dict[str, dict[str, str]] = (
            json.loads(self.file.read_text()) if self.file.exists() else {}
        )
        return content
