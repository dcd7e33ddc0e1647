"""An integrator who has never seen Assent's code: pyHanko's CSC client.

pyHanko asks credentials/info, builds the PDF signatures, calls
signatures/signHash and validates what it made with its own validator. What it
leaves to its user is written here from RFC 6749, 7636, 9126 and CSC clause 8.4:
the tokens. The signer approves in a browser, at the address that is printed.

usage: pyhanko_sign.py BASE SIGNER CLIENT SECRET CALLBACK ROOT FILE...
FILE.pdf is signed as FILE-signed.pdf; all of them with one approval.
"""

import asyncio
import base64
import hashlib
import secrets
import sys
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import csc_signer
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

VERSION = 'v2'


def say(*words):
    print(*words, flush=True)


async def post_form(session, url, client, form):
    async with session.post(url, data=form, auth=aiohttp.BasicAuth(*client)) as res:
        body = await res.json()
        if res.status >= 400:
            raise RuntimeError(f'{url}: {res.status} {body}')
        return body


class BrowserApproval(csc_signer.CSCAuthorizationManager):
    """Gets a token of scope credential, bound to the digests, by the code flow."""

    def __init__(self, info, credential, session, oauth, client, callback):
        super().__init__(info, credential)
        self.session, self.oauth, self.client, self.callback = session, oauth, client, callback
        self.used = []

    async def authorize_signature(self, hash_b64s):
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b'=').decode()
        pushed = await post_form(self.session, f'{self.oauth}/oauth2/pushed_authorize', self.client, {
            'response_type': 'code', 'client_id': self.client[0], 'redirect_uri': self.callback,
            'scope': 'credential', 'state': state, 'code_challenge': challenge, 'code_challenge_method': 'S256',
            'credentialID': self.csc_session_info.credential_id, 'numSignatures': str(len(hash_b64s)),
            'hashes': ','.join(h.replace('+', '-').replace('/', '_').rstrip('=') for h in hash_b64s),
            'hashAlgorithmOID': algos.DigestAlgorithmId('sha256').dotted,
            'description': 'Signed with pyHanko',
        })
        query = urlencode({'client_id': self.client[0], 'request_uri': pushed['request_uri']})
        code = await self.wait_for_code(state, f'{self.oauth}/oauth2/authorize?{query}')
        token = await post_form(self.session, f'{self.oauth}/oauth2/token', self.client, {
            'grant_type': 'authorization_code', 'code': code, 'redirect_uri': self.callback, 'code_verifier': verifier,
        })
        self.used.append(token['access_token'])
        return self.parse_csc_auth_response({'SAD': token['access_token'], 'expiresIn': token['expires_in']})

    async def wait_for_code(self, state, address):
        got = asyncio.get_running_loop().create_future()

        async def back(request):
            if not got.done():
                got.set_result(dict(request.query))
            return web.Response(text='Back at the integrator.')

        where = urlsplit(self.callback)
        app = web.Application()
        app.router.add_get(where.path, back)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, where.hostname, where.port).start()
        try:
            say('APPROVE', address)
            answer = await asyncio.wait_for(got, 120)
            # The browser is to have its page before the listener goes away.
            await asyncio.sleep(0.5)
        finally:
            await runner.cleanup()
        if answer.get('state') != state or 'code' not in answer:
            raise RuntimeError(f'the service came back with {answer}')
        return answer['code']


async def sign(signer, name):
    meta = signers.PdfSignatureMetadata(field_name='Signature1', md_algorithm='sha256', subfilter=fields.SigSeedSubFilter.PADES)
    with open(name, 'rb') as source, open(name.replace('.pdf', '-signed.pdf'), 'wb') as out:
        await signers.PdfSigner(meta, signer=signer).async_sign_pdf(IncrementalPdfFileWriter(source), output=out)


async def validate(name, root):
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    with open(name.replace('.pdf', '-signed.pdf'), 'rb') as f:
        [embedded] = PdfFileReader(f).embedded_signatures
        status = await async_validate_pdf_signature(embedded, context)
        if not status.bottom_line:
            raise RuntimeError(f'{name}: pyHanko says {status.pretty_print_details()}')
        say('VALID', status.coverage.name, status.signing_cert.subject.human_friendly)


async def refused(what, signer):
    """Commits by hand: what autocommit runs into is only logged."""
    waiting = asyncio.create_task(signer.async_sign_raw(what.encode(), 'sha256'))
    await asyncio.sleep(0)
    try:
        await signer.commit()
    except SigningError as e:
        if isinstance(e.__cause__, aiohttp.ClientResponseError):
            say('REFUSED', what, e.__cause__.status)
            await asyncio.gather(waiting, return_exceptions=True)
            return
        raise
    raise RuntimeError(f'{what}: was not refused')


async def main(base, person, client, secret, callback, root_file, *names):
    with open(root_file, 'rb') as f:
        root = Certificate.load(x509.load_pem_x509_certificate(f.read()).public_bytes(Encoding.DER))
    async with aiohttp.ClientSession() as session:
        async with session.post(f'{base}/csc/{VERSION}/info', json={}) as res:
            described = await res.json()
        oauth = described['oauth2']
        service = (await post_form(session, f'{oauth}/oauth2/token', (client, secret),
                                   {'grant_type': 'client_credentials', 'scope': 'service'}))['access_token']
        async with session.post(f'{base}/csc/{VERSION}/credentials/list', json={'userID': person}, raise_for_status=True,
                                headers={'Authorization': f'Bearer {service}'}) as res:
            [credential_id] = (await res.json())['credentialIDs']
        info = csc_signer.CSCServiceSessionInfo(base, credential_id, oauth_token=service, api_ver=VERSION)
        credential = await csc_signer.fetch_certs_in_csc_credential(session, info)
        say('CREDENTIAL', credential.hash_pinning_required, len(credential.chain), credential.max_batch_size,
            ' '.join(sorted(credential.supported_mechanisms)))

        manager = BrowserApproval(info, credential, session, oauth, (client, secret), callback)
        signer = csc_signer.CSCSigner(session, manager, batch_size=len(names))
        await asyncio.gather(*(sign(signer, name) for name in names))
        for name in names:
            await validate(name, root)

        # The same SAD is worth nothing for anything else, not even to its client.
        spent = csc_signer.PrefetchedSADAuthorizationManager(info, credential, csc_signer.CSCAuthorizationInfo(manager.used[0]))
        await refused('another digest with the same SAD', csc_signer.CSCSigner(session, spent, batch_autocommit=False))


asyncio.run(main(*sys.argv[1:]))
