"""Signs PDFs with pyHanko for our benchmarks and says what it cost this process.

Orders come as lines of JSON, {"in": FILE, "out": FILE, "times": N}; so do the
answers. The key is P-256, in memory. Nothing is synced.
"""

import datetime
import gc
import json
import os
import sys
import time

from asn1crypto import keys, x509
from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore


def new_signer():
    key = ec.generate_private_key(ec.SECP256R1())
    name = cx509.Name([cx509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (
        cx509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signers.SimpleSigner(
        signing_cert=x509.Certificate.load(cert.public_bytes(serialization.Encoding.DER)),
        signing_key=keys.PrivateKeyInfo.load(pkcs8),
        cert_registry=SimpleCertificateStore(),
    )


def sign(signer, source, target):
    meta = signers.PdfSignatureMetadata(
        field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    with open(source, "rb") as i, open(target, "w+b") as o:
        signers.sign_pdf(IncrementalPdfFileWriter(i), meta, signer=signer, output=o)


def restart_peak():
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass  # the peak is of the whole life then


def peak():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def measure(signer, order):
    restart_peak()
    cpu = wall = 0
    for _ in range(order["times"]):
        if os.path.exists(order["out"]):
            os.remove(order["out"])
        c, w = time.process_time_ns(), time.perf_counter_ns()
        sign(signer, order["in"], order["out"])
        cpu += time.process_time_ns() - c
        wall += time.perf_counter_ns() - w
    return {"cpu": cpu // order["times"], "wall": wall // order["times"], "rss": peak()}


def main():
    signer = new_signer()
    for line in sys.stdin:
        try:
            answer = measure(signer, json.loads(line))
        except Exception as e:  # whatever it is, the benchmark says so and ends
            answer = {"error": repr(e)}
        print(json.dumps(answer), flush=True)


main()
