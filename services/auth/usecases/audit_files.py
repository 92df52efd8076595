"""Verifying an export without the system that wrote it: a public key is all that is trusted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.auth.domain.audit_heads import AuditKey, Break, ChainVerifier, Head, HeadKind, Problem
from services.auth.domain.audit_lines import EndLine, LineInvalid, RecordLine, read_line
from services.auth.ports.audit import HeadSigning


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What an export proves."""

    first_sequence: int
    verified_sequence: int
    attested_sequence: int
    """The last record that a signature vouches for."""
    complete: bool
    """Whether the file has its end."""
    broken: Break | None
    detail: str = ""

    @property
    def proven(self) -> bool:
        """Whether every record of the file is what was chained."""
        return (
            self.broken is None
            and not self.detail
            and self.complete
            and self.attested_sequence == self.verified_sequence
        )


class _FileReader:
    """Takes in an export line by line."""

    def __init__(self, keys: Sequence[AuditKey], signing: HeadSigning) -> None:
        self._verify = lambda head: signing.verify(keys, head)
        self.verifier: ChainVerifier | None = None
        self.first = 0
        self.records = 0
        self.ended = False

    def take(self, line: RecordLine | Head | EndLine) -> Break | None:
        """Check a line; what follows the end was not exported."""
        if self.ended:
            return Break(self._sequence + 1, Problem.UNCHAINED)
        if isinstance(line, EndLine):
            self.ended = True
            short = line.records != self.records
            return Break(self._sequence + 1, Problem.TRUNCATED) if short else None
        if isinstance(line, RecordLine):
            self.records += 1
            return self._take_record(line)
        return self._take_head(line)

    @property
    def _sequence(self) -> int:
        return self.verifier.sequence if self.verifier is not None else 0

    def _take_record(self, line: RecordLine) -> Break | None:
        if self.verifier is None:
            self.verifier = ChainVerifier(self._verify, line.record.act.company_id)
            # The first record of all follows nothing; an export of a later stretch begins
            # somewhere, and the head at its end vouches for how.
            if line.record.sequence > 1:
                self.verifier.adopt(line.record)
        if not self.first:
            self.first = line.record.sequence
        return self.verifier.take(line.record, personal_matches=line.personal_matches)

    def _take_head(self, head: Head) -> Break | None:
        if self.verifier is None:
            self.verifier = ChainVerifier(self._verify, head.company_id)
            if head.kind is HeadKind.CHECKPOINT:
                return self.verifier.start(head)
        return self.verifier.take_head(head)


def verify_lines(
    lines: Iterable[bytes], keys: Sequence[AuditKey], signing: HeadSigning
) -> FileVerdict:
    """Verify an export, in bounded memory."""
    reader = _FileReader(keys, signing)
    broken: Break | None = None
    detail = ""
    for number, text in enumerate(lines, start=1):
        try:
            broken = reader.take(read_line(text))
        except LineInvalid as err:
            detail = f"line {number}: {err}"
        if broken is not None or detail:
            break
    verifier = reader.verifier
    return FileVerdict(
        first_sequence=reader.first,
        verified_sequence=verifier.sequence if verifier else 0,
        attested_sequence=verifier.attested_sequence if verifier else 0,
        complete=reader.ended,
        broken=broken,
        detail=detail,
    )
