"""A certificate authority of the tests' own, and what it signs for 127.0.0.1."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Certificates:
    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def make_certificates(folder: Path) -> Certificates:
    """Files ca, server, server-key, client, client-key."""
    made = Certificates(folder)
    authority, key = _sign("Test CA", None)
    Path(made.path("ca")).write_bytes(authority.public_bytes(Encoding.PEM))
    for name in ("server", "client"):
        certificate, own_key = _sign(name, (authority, key))
        Path(made.path(name)).write_bytes(certificate.public_bytes(Encoding.PEM))
        pem = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        Path(made.path(f"{name}-key")).write_bytes(pem)
    return made


def _sign(name: str, issuer: tuple[x509.Certificate, Key] | None) -> tuple[x509.Certificate, Key]:
    """By the issuer, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
    )
    signing_key = issuer[1] if issuer else key
    return builder.sign(signing_key, hashes.SHA256()), key
