"""Has pyHanko validate PDF files offline by EN 319 102-1, against an anchor.

Of a file with document time-stamps by 5.6.3 (long-term availability), else by 5.5 (signatures
with time; pyHanko's 5.6.3 wants document time-stamps), and without a time-stamp by 5.3 (basic). Revocation data must be in the file
("require"), or is not asked for ("soft-fail", for levels that carry none). A line of JSON for
each signature that is no time-stamp.

usage: pyhanko_judge.py require|soft-fail ANCHOR.pem FILE...
"""

import asyncio
import dataclasses
import json
import sys

from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import PdfSignatureStatus
from pyhanko.sign.validation.ades import (
    _dss_to_local_knowledge,
    ades_basic_validation,
    ades_lta_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import LEGACY_POLICY_MAP, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager


async def judge(name, spec):
    with open(name, 'rb') as f:
        reader = PdfFileReader(f)
        if reader.encrypted:
            reader.decrypt('')
        stamps = len(reader.embedded_timestamp_signatures)
        for embedded in reader.embedded_regular_signatures:
            if stamps:
                result = await ades_lta_validation(embedded, spec)
                stamped = result.oldest_evidence_record_timestamp is not None
            else:
                embedded.compute_integrity_info()
                unsigned = embedded.signer_info['unsigned_attrs'].native or ()
                timed = any(a['type'] == 'signature_time_stamp_token' for a in unsigned)
                info = embedded.summarise_integrity_info()
                known = dataclasses.replace(spec.signature_validation_spec, local_knowledge=_dss_to_local_knowledge(reader))
                if timed:
                    result = await ades_with_time_validation(
                        embedded.signed_data, known, raw_digest=embedded.compute_digest(), extra_status_kwargs=info, status_cls=PdfSignatureStatus,
                    )
                else:  # which cannot be given the status class of a PDF
                    result = await ades_basic_validation(embedded.signed_data, known, raw_digest=embedded.compute_digest())
                stamped = False
            status = result.api_status
            # Whether later changes are allowed is another answer of pyHanko's, and part of this one.
            whole = bool(status and status.coverage and status.docmdp_ok) if stamps or timed else bool(info['coverage'] and info['docmdp_ok'])
            ok = result.ades_subindic.name == 'OK'
            print(json.dumps({
                'file': name, 'field': embedded.field_name,
                'indication': result.ades_subindic.status.name if whole or not ok else 'CHANGED',
                'sub': '' if ok else result.ades_subindic.name,
                'stamps': stamps, 'stamped': stamped, 'words': str(result.failure_msg or ''),
            }), flush=True)


async def main(mode, anchor, *names):
    with open(anchor, 'rb') as f:
        root = Certificate.load(x509.load_pem_x509_certificate(f.read()).public_bytes(Encoding.DER))
    spec = PdfSignatureValidationSpec(SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=[root]),
            revinfo_policy=CertRevTrustPolicy(LEGACY_POLICY_MAP[mode]),
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY),
    ))
    for name in names:
        try:
            await judge(name, spec)
        except Exception as e:
            print(json.dumps({'file': name, 'error': f'{type(e).__name__}: {e}'}), flush=True)


asyncio.run(main(*sys.argv[1:]))
