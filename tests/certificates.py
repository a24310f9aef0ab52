"""Certificates for servers of tests: signed by nobody but themselves, and soon over."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(directory: Path, subject: str = "DNS:localhost") -> tuple[Path, Path]:
    """Return the files of a new certificate, ``cert.pem``, and of its key, ``key.pem``.

    Args:
        directory: Where they are written.
        subject: Whom it is for, as ``DNS:localhost`` or ``IP:127.0.0.1``.
    """
    certificate, key = directory / "cert.pem", directory / "key.pem"
    name = subject.partition(":")[2]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}",
         "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate, key
