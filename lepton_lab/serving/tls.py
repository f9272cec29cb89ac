"""The certificate of an endpoint: files of one's own, or one made on the spot for trials."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from pathlib import Path

from lepton_lab.errors import EndpointError, MissingExtra
from lepton_lab.runs.atomic import write_bytes

CERTIFICATE, KEY = "certificate.pem", "certificate.key"
VALID_DAYS = 90


def install(folder: Path, host: str, certificate: str | None, key: str | None) -> None:
    """Puts certificate and key into an endpoint's folder, mode 0600.

    Args:
        folder: The endpoint's folder.
        host: The address it listens on.
        certificate: A PEM file with the certificate chain; None for a self-made one.
        key: A PEM file with its key.

    Raises:
        EndpointError: If the files cannot be read, or do not belong together.
        MissingExtra: If a certificate is to be made, and `cryptography` is not installed.
    """
    if certificate is None or key is None:
        chain, secret = self_made(host)
    else:
        chain, secret = (_read(Path(path).expanduser()) for path in (certificate, key))
    write_bytes(folder / CERTIFICATE, chain)
    write_bytes(folder / KEY, secret)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except (ssl.SSLError, OSError, ValueError) as error:
        for name in (CERTIFICATE, KEY):
            (folder / name).unlink(missing_ok=True)
        raise EndpointError(
            f"The certificate and its key cannot be used ({error}); expected two PEM files that belong together."
        ) from None


def self_made(host: str) -> tuple[bytes, bytes]:
    """A certificate for this machine that signs itself, and its key; good for trials, unknown to browsers.

    Args:
        host: The address that the endpoint listens on.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise MissingExtra("cryptography", "serve", "A self-made certificate") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lepton_lab endpoint")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_alternative(each) for each in _names(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return certificate.public_bytes(serialization.Encoding.PEM), secret


def context_for(folder: Path) -> ssl.SSLContext | bool:
    """What a client on this machine checks an endpoint's certificate with: itself, beside the known authorities."""
    if not (folder / CERTIFICATE).exists():
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(folder / CERTIFICATE)
    return context


def _names(host: str) -> list[str]:
    """What the endpoint may be called."""
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), host]))


def _alternative(name: str):  # type: ignore[no-untyped-def]
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EndpointError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
