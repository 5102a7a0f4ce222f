"""The keys of the NSS feed filters: which fields each reads, and how its values are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FilterKey:
    """One key of a filter table.

    `kind` is a key of `KINDS`, `example` a value as it stands in TOML, and `choices` all values
    there are, where the service documents a closed set.
    """

    name: str
    fields: tuple[str, ...]
    kind: str
    description: str
    example: str
    choices: tuple[str, ...] = ()


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "text": "text: `x` is the whole value, `x*` its start, `*x` its end, `*x*` any part",
        "url": "text as above, without scheme",
        "host": "text as above; a port after the host is ignored unless the value has a port",
        "list": "text as above; one member of the record's list is enough",
        "address": "IPv4 or IPv6: an address, `first-last`, or CIDR; commas separate several",
        "code": "HTTP status: `403`, `4xx`, or `400-499`; commas separate several",
        "size": "bytes, or with KiB, MiB, GiB: `200`, `10KiB-1MiB`, `1MiB-`; commas separate",
        "score": "number from 0 to 100: `75`, `46-74`, `90-`; commas separate several",
    }
)
"""How values of each kind are written."""

_CHOICES = {
    "action": ("Allowed", "Blocked"),
    "threat_severities": ("Critical", "High", "Medium", "Low", "None"),
}

_KEYS = (
    ("text", "action", "action", "What policy did", '"Blocked"'),
    ("text", "reason", "reason", "Why policy did so", '"Not allowed*"'),
    ("text", "users", "login", "Login of the user", '["*@example.com"]'),
    ("text", "departments", "dept", "Department of the user", '["Sales", "HR"]'),
    ("text", "locations", "location", "Location of the source", '["Lisbon*"]'),
    ("address", "client_ips", "cip", "Address of the client", '["192.0.2.0/24", "2001:db8::/32"]'),
    ("address", "public_ips", "cintip cpubip", "Public address of the client", '"203.0.113.7"'),
    ("address", "server_ips", "sip", "Address of the server", '"192.0.2.1-192.0.2.9"'),
    ("text", "forwarding_methods", "trafficredirectmethod", "How traffic came in", '["PAC*"]'),
    ("text", "user_agents", "ua", "User agent of the client", '["*Firefox*"]'),
    ("text", "protocols", "proto", "Protocol of the transaction", '["HTTP", "HTTPS"]'),
    ("text", "methods", "reqmethod", "HTTP method", '["POST", "PUT"]'),
    ("code", "response_codes", "respcode", "HTTP status", '["200", "4xx"]'),
    ("size", "request_size", "reqsize", "Bytes of the request", '"10KiB-1MiB, 200"'),
    ("size", "response_size", "respsize", "Bytes of the response", '"1MiB-"'),
    ("size", "transaction_size", "totalsize", "Bytes of request and response", '"0-64KiB"'),
    ("url", "urls", "eurl", "Destination URL", '["example.com/files/*", "*.zip"]'),
    ("host", "hosts", "ehost", "Destination host", '["*.example.com"]'),
    ("url", "referers", "ereferer", "Referrer URL", '["intranet.example.org*"]'),
    ("text", "url_classes", "urlclass", "URL class", '["Privacy Risk"]'),
    ("text", "url_super_categories", "urlsupercat", "URL super category", '["Travel"]'),
    ("text", "url_categories", "urlcat", "URL category", '["Games"]'),
    ("text", "cloud_apps", "appname", "Cloud application", '["Dropbox"]'),
    ("text", "cloud_app_classes", "appclass", "Category of the application", '["Web Mail"]'),
    ("text", "app_status", "app_status", "Sanction state of the application", '"Sanctioned"'),
    ("text", "malware_categories", "malwarecat", "Malware category", '["Adware"]'),
    ("text", "malware_classes", "malwareclass", "Malware super category", '["Sandbox"]'),
    ("text", "threats", "threatname", "Threat found", '["EICAR*"]'),
    ("text", "threat_severities", "threatseverity", "Severity", '["Critical", "High"]'),
    ("score", "page_risk", "riskscore", "Risk index of the page", '"75-100"'),
    ("text", "file_types", "filetype upload_filetype", "File type, up or down", '["ZIP"]'),
    ("text", "file_classes", "fileclass upload_fileclass", "File class, up or down", '["Audio"]'),
    ("text", "unscannable_types", "unscannabletype", "Why a file was not scanned", '"Encrypted*"'),
    ("text", "dlp_engines", "dlpeng", "DLP engine that matched", '["HIPAA"]'),
    ("list", "dlp_dictionaries", "dlpdict", "DLP dictionaries that matched", '["Gambling"]'),
    ("text", "rule_labels", "rulelabel", "Rule that blocked", '["URL_Filtering_1"]'),
    ("text", "device_owners", "deviceowner", "Owner of the device", '["ana"]'),
    ("text", "device_hostnames", "devicehostname", "Host name of the device", '["LAPTOP-*"]'),
    ("text", "source_countries", "srcip_country", "Country of the client", '["Portugal"]'),
    ("text", "destination_countries", "dstip_country", "Country of the server", '["Germany"]'),
)

FILTER_KEYS: Mapping[str, FilterKey] = MappingProxyType(
    {
        name: FilterKey(name, tuple(fields.split()), kind, what, example, _CHOICES.get(name, ()))
        for kind, name, fields, what, example in _KEYS
    }
)
"""Every key by its name. Each has a twin, `not_` and the name, for what must not be."""
