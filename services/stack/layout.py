"""Where the stack keeps what, inside its state folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The state folder: ours alone, for it holds secrets and people's data."""

    folder: Path

    def make(self) -> None:
        """Make the folders that everything else takes for granted."""
        for path in (self.folder, self.run, self.logs, self.mailbox):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    @property
    def secrets(self) -> Path:
        """Generated passwords and keys."""
        return self.folder / "secrets.json"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.folder / "supervisor.lock"

    @property
    def status(self) -> Path:
        """What the supervisor knows about each part."""
        return self.folder / "status.json"

    @property
    def run(self) -> Path:
        """A file per running part, with the identity of its process."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        """A log per part."""
        return self.folder / "logs"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's cluster."""
        return self.folder / "postgres"

    @property
    def nats(self) -> Path:
        """NATS's configuration and store."""
        return self.folder / "nats"

    @property
    def tls(self) -> Path:
        """The certificate authority and the gateway's certificate."""
        return self.folder / "tls"

    @property
    def gateway(self) -> Path:
        """Envoy's rendered configuration."""
        return self.folder / "gateway"

    @property
    def mailbox(self) -> Path:
        """Mail that the services would have sent."""
        return self.folder / "mail"

    def log(self, part: str) -> Path:
        """Return the log of a part."""
        return self.logs / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """Return the file that holds the identity of a part's process."""
        return self.run / f"{part}.json"
