"""A certificate for this machine, for a day: what a sandbox needs to speak TLS.

Owns: making it. Must not: be used elsewhere: whoever has its file may pretend to be localhost.
"""

import ipaddress
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from postcart.adapters.web_server import Tls
from postcart.events.times import from_ms


def certificate(folder: Path, *, now_ms: int, names: tuple[str, ...] = ("localhost",)) -> Tls:
    """Write ``sandbox.pem`` (also the authority to be trusted) and ``sandbox.key`` into a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Postcart sandbox")])
    found = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(from_ms(now_ms) - timedelta(hours=1))
        .not_valid_after(from_ms(now_ms) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [*(x509.DNSName(one) for one in names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    tls = Tls(folder / "sandbox.pem", folder / "sandbox.key")
    tls.certificate.write_bytes(found.public_bytes(serialization.Encoding.PEM))
    tls.key.touch(mode=0o600)
    tls.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls
