"""When the credentials for MCAS end: a secret on the day typed for it, a certificate as it says."""

from nss.expiry import Expiry
from nss.mcas import SignInRefused
from nss.mcas.certificate import certificate_end
from nss.mcas.credentials import McasCredentials
from nss.mcas.dates import end_of

COMPONENT = "MCAS"


def expiries_of(credentials: McasCredentials) -> tuple[Expiry, ...]:
    """Return what of the credentials ends when, as far as that is known. Reads a certificate.

    A certificate that can't be read is not reported here: every sign-in does that.
    """
    if credentials.client_secret_expires is not None:
        ends_at = end_of(credentials.client_secret_expires)
        return (Expiry(component=COMPONENT, credential="client_secret", ends_at=ends_at),)
    if credentials.method != "certificate":
        return ()
    try:
        ends_at = certificate_end(credentials)
    except (SignInRefused, ValueError):  # `ValueError`: a date that is none
        return ()
    place = str(credentials.certificate)
    return (
        Expiry(component=COMPONENT, credential="app_certificate", place=place, ends_at=ends_at),
    )
