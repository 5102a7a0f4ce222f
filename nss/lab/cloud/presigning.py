"""Presigned URLs of S3: AWS Signature Version 4 in the query.

Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Credentials of S3 in one region."""

    key_id: str
    secret: str
    region: str

    def presign(self, method: str, url: str, at: float, secs: int) -> str:
        """Return a URL with the query that permits a request from a moment on, for some seconds."""
        place = urlsplit(url)
        moment = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        day = moment[:8]
        scope = f"{day}/{self.region}/s3/aws4_request"
        query = urlencode(
            {
                "X-Amz-Algorithm": _ALGORITHM,
                "X-Amz-Credential": f"{self.key_id}/{scope}",
                "X-Amz-Date": moment,
                "X-Amz-Expires": str(secs),
                "X-Amz-SignedHeaders": "host",
            },
            quote_via=quote,
            safe="",
        )
        canonical = (
            f"{method}\n{quote(place.path)}\n{query}\nhost:{place.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = _keyed(key, part)
        signature = _keyed(key, f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}").hex()
        return f"{url}?{query}&X-Amz-Signature={signature}"


def _keyed(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)
