"""The clouds as one object: its servers, their state, and what they saw."""

import secrets
import ssl
import string
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificate

from nss.files.private import write_private
from nss.lab.cloud import elsewhere
from nss.lab.cloud.blobs import Blobs
from nss.lab.cloud.buckets import Buckets
from nss.lab.cloud.control import Control
from nss.lab.cloud.entra import DEFAULT_SUFFIX, Entra
from nss.lab.cloud.faults import Faults
from nss.lab.cloud.gate import Gate
from nss.lab.cloud.imds import Identity
from nss.lab.cloud.mcas import Mcas
from nss.lab.cloud.notes import Notes
from nss.lab.cloud.parsing import Parser
from nss.lab.cloud.serving import HOST, App, Servers, Site, listener
from nss.lab.cloud.slots import Slots
from nss.lab.cloud.tokens import MCAS_APP_ID
from nss.lab.cloud.zia import Zia

_LEGACY_TOKEN_CHARS = 64
_EXPONENT, _KEY_BITS = 65537, 2048


class CloudLab:
    """Servers on free ports of loopback, used with `with`; everything they keep is in `folder`.

    They run in a thread of their own, so tests and commands of any kind may talk to them.
    `requests_per_minute` is the API's limit; uploads show in data sources and governance log
    `results_delay_secs` after they were parsed; `sas_secs` is how long an upload URL is good.
    Without `keep_uploads` a file is deleted when it was parsed. Another machine reaches them at
    `address`, if it knows it by `name`, which must end with `localhost` to be taken for a lab;
    `other_names` are in their certificate too, for clients that resolve names in their own way.
    """

    def __init__(
        self,
        folder: Path,
        *,
        requests_per_minute: int = 30,
        results_delay_secs: float = 0.0,
        sas_secs: float = 3600.0,
        keep_uploads: bool = True,
        address: str = HOST,
        name: str = "localhost",
        other_names: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._address = address
        self._name = name
        self._other_names = other_names
        self.ca_file = folder / "ca.pem"
        """The authority that the servers' certificates are of, PEM."""
        self.scope = f"{MCAS_APP_ID}{DEFAULT_SUFFIX}"
        self.legacy_token = _new_token()
        """An API token of the legacy kind."""
        self.faults = Faults()
        self.entra_url = self.api_url = self.blob_url = self.s3_url = self.control_url = ""
        self.zidentity_url = self.zia_url = ""
        self.wrong_region_url = ""
        """An API of the same service that does not know the tenant."""
        self.managed_identity_url = ""
        """Of the metadata service: `AZURE_POD_IDENTITY_AUTHORITY_HOST`."""
        self._notes = notes = Notes()
        self.requests = notes.requests
        """Every request so far, in the order of the answers, without queries."""
        self.complaints = notes.complaints
        """Each violation of a protocol, as one sentence."""
        self.entra = Entra()
        self.tenant_id, self.client_id = self.entra.tenant_id, self.entra.client_id
        self.secret_id = self.entra.secret_id
        self.identity = Identity(self.entra)
        self.zia = Zia(
            self.entra.tokens, self.entra.zia_resource, notes.complaints.append, self.entra.now
        )
        self.zia_scope = f"{self.entra.zia_resource}{DEFAULT_SUFFIX}"
        self.entra.zia_roles = [self.zia.role_claim]
        uploads = folder / "uploads"
        self.blobs = Blobs(Slots(uploads, notes), notes, self.entra.now)
        self.blobs.sas_secs = sas_secs
        self.buckets = Buckets(Slots(uploads, notes), notes, self.entra.now)
        """The storage while `mcas.provider` is "aws"."""
        self.buckets.url_secs = int(sas_secs)
        self.parser = Parser(self.entra.now, keeps_files=keep_uploads)
        self.discovery = self.parser.discovery
        """What Cloud Discovery sees in the uploads parsed so far."""
        self.mcas = self._mcas(requests_per_minute, results_delay_secs)
        self._authority = trustme.CA()
        self._servers: Servers | None = None

    @property
    def client_secret(self) -> str:
        """The application's secret."""
        return self.entra.secret

    @property
    def one_api_token_url(self) -> str:
        """ZIdentity's token endpoint."""
        return f"{self.zidentity_url}/oauth2/v1/token"

    @property
    def one_api_url(self) -> str:
        """Where ZIA takes tokens of ZIdentity, without a final slash."""
        return f"{self.zia_url}/zia/api/v1"

    @property
    def zia_api_url(self) -> str:
        """Where ZIA takes sessions and tokens of Entra, without a final slash."""
        return f"{self.zia_url}/api/v1"

    @property
    def authentication_url(self) -> str:
        """The token endpoint, v2.0."""
        return f"{self.entra_url}/{self.tenant_id}/oauth2/v2.0/token"

    @cached_property
    def certificate(self) -> Path:
        """A file with a certificate that is registered for the application, and its key; PEM."""
        return self.issue_certificate("client.pem", is_registered=True)

    def __enter__(self) -> Self:
        (self.folder / "uploads").mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(self.ca_file))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        names = (self._name, *self._other_names, self._address, "::1")
        self._authority.issue_cert(*names).configure_cert(tls)
        gate = partial(Gate, notes=self._notes, faults=self.faults, clock=self.entra.now)
        entra = self._site(gate("entra", self.entra.app()), tls)
        mcas = self._site(gate("mcas", self.mcas.app(), admit=self.mcas.admit), tls)
        other = self._site(gate("mcas", elsewhere.app()), tls)
        blob = self._site(gate("blob", self.blobs.app()), tls)
        s3 = self._site(gate("s3", self.buckets.app()), tls)
        zidentity = self._site(gate("zidentity", self.zia.one_api.app()), tls)
        zia = self._site(gate("zia", self.zia.app()), tls)
        imds = self._site(gate("imds", self.identity.app()))
        page = Control(*(self.entra, self.mcas, self.parser, self.zia), self.faults, self._notes)
        control = self._site(page.app())
        self.entra_url = self.entra.base_url = f"https://{self._name}:{entra.port}"
        self.api_url = f"https://{self._name}:{mcas.port}"
        self.zidentity_url = f"https://{self._name}:{zidentity.port}"
        self.zia_url = f"https://{self._name}:{zia.port}"
        self.wrong_region_url = f"https://{self._name}:{other.port}"
        self.blob_url = self.blobs.base_url = f"https://{self._address}:{blob.port}"
        self.s3_url = self.buckets.base_url = f"https://{self._address}:{s3.port}"
        self.managed_identity_url = f"http://{self._address}:{imds.port}"
        self.control_url = f"http://{self._address}:{control.port}"
        self.parser.start()
        sites = [entra, mcas, other, blob, s3, zidentity, zia, imds, control]
        self._servers = Servers(sites)
        self._servers.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._servers is not None:
            self._servers.stop()
        self.parser.close()

    def _mcas(self, requests_per_minute: int, results_delay_secs: float) -> Mcas:
        return Mcas(
            self.entra.tokens,
            {"azure": self.blobs, "aws": self.buckets},
            self.parser,
            self._notes,
            self.entra.now,
            legacy_token=self.legacy_token,
            requests_per_minute=requests_per_minute,
            results_delay_secs=results_delay_secs,
        )

    def _site(self, app: App, tls: ssl.SSLContext | None = None) -> Site:
        return Site(app, listener(self._address), tls)

    def issue_certificate(
        self,
        name: str,
        *,
        is_registered: bool,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Path:
        """Write a new client certificate and its key to a file in `folder`, PEM.

        Without times it is valid for as long as anybody uses the lab.
        """
        issued = self._authority.issue_cert(
            "nss.example",
            key_type=trustme.KeyType.RSA,
            not_before=not_before,
            not_after=not_after,
        )
        path = self.folder / name
        write_private(path, issued.private_key_and_cert_chain_pem.bytes())
        if is_registered:
            found = load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
            self.entra.certificates.append(found)
        return path

    def issue_zia_key(self, name: str, *, is_registered: bool = True) -> Path:
        """Write a new private key for OneAPI's client to a file in `folder`, PEM."""
        key = rsa.generate_private_key(_EXPONENT, _KEY_BITS)
        path = self.folder / name
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
        if is_registered:
            self.zia.one_api.keys.append(key.public_key())
        return path


def _new_token() -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(_LEGACY_TOKEN_CHARS))
