"""The gateway's TLS certificate, signed by a certificate authority that exists on this machine."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIFE = dt.timedelta(days=3650)
_CERTIFICATE_LIFE = dt.timedelta(days=397)  # the most that browsers accept
_RENEW_BEFORE = dt.timedelta(days=60)
_CLOCK_SKEW = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the certificates lie."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What clients are told to trust."""
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        """What the gateway shows, followed by the authority's own certificate."""
        return self.folder / "gateway.pem"

    @property
    def key(self) -> Path:
        """The gateway's private key."""
        return self.folder / "gateway.key"

    @property
    def authority_key(self) -> Path:
        """The authority's private key."""
        return self.folder / "ca.key"


def ensure_certificates(folder: Path) -> Certificates:
    """Make the certificates, or renew those that end soon."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = Certificates(folder)
    authority_renewed = not (_is_good(paths.authority) and paths.authority_key.exists())
    if authority_renewed:
        _make_authority(paths)
    if authority_renewed or not (_is_good(paths.certificate) and paths.key.exists()):
        _make_certificate(paths)
    return paths


def _is_good(path: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return certificate.not_valid_after_utc - _now() > _RENEW_BEFORE


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _CLOCK_SKEW)
        .not_valid_after(_now() + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _make_authority(paths: Certificates) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("DashTrack local authority")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(paths.authority_key, key)
    paths.authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _make_certificate(paths: Certificates) -> None:
    authority = x509.load_pem_x509_certificate(paths.authority.read_bytes())
    authority_key = serialization.load_pem_private_key(
        paths.authority_key.read_bytes(), password=None
    )
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{paths.authority_key} is not an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name("localhost"), authority.subject, key.public_key(), _CERTIFICATE_LIFE)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(paths.key, key)
    pem = serialization.Encoding.PEM
    paths.certificate.write_bytes(certificate.public_bytes(pem) + authority.public_bytes(pem))
