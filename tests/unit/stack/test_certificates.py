"""The gateway's certificate is one that clients accept, for as long as the stack lives."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from services.stack import certificates
from services.stack.certificates import ensure_certificates


def handshake(folder: Path, host: str) -> None:
    """Let a client that trusts the authority talk to a server that has the certificate."""
    paths = ensure_certificates(folder)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(paths.certificate, paths.key)
    client_context = ssl.create_default_context(cafile=str(paths.authority))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_authority_accepts_it(tmp_path: Path, host: str) -> None:
    """The names under which the stack is reached are in the certificate."""
    handshake(tmp_path, host)


def test_it_is_for_this_machine_alone(tmp_path: Path) -> None:
    """Another name is refused."""
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, "dashtrack.example")


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    """Nothing changes as long as nothing ends soon."""
    before = ensure_certificates(tmp_path).certificate.read_bytes()
    assert ensure_certificates(tmp_path).certificate.read_bytes() == before


def test_one_that_ends_soon_is_renewed_under_the_same_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever trusts the authority needs to do nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_CERTIFICATE_LIFE", certificates._RENEW_BEFORE)
        paths = ensure_certificates(tmp_path)
    old, authority = paths.certificate.read_bytes(), paths.authority.read_bytes()
    ensure_certificates(tmp_path)
    assert paths.certificate.read_bytes() != old
    assert paths.authority.read_bytes() == authority
    lives = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    assert lives.not_valid_after_utc > x509.load_pem_x509_certificate(old).not_valid_after_utc


def test_a_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    """A file that was cut short doesn't keep the stack from starting."""
    paths = ensure_certificates(tmp_path)
    paths.certificate.write_bytes(b"-----BEGIN")
    handshake(tmp_path, "localhost")


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Private keys can't be read by others."""
    paths = ensure_certificates(tmp_path / "tls")
    for key in (paths.key, paths.authority_key):
        assert key.stat().st_mode & 0o777 == 0o600
    assert paths.folder.stat().st_mode & 0o777 == 0o700
