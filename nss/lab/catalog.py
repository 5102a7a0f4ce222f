"""Who and what the record generator draws from: cloud apps, people, browsers, policy reasons."""

import csv
from importlib.resources import files
from typing import NamedTuple


class App(NamedTuple):
    """A cloud app as its records show it, a row of `apps.csv`."""

    name: str
    app_class: str
    host: str
    category: str
    super_category: str
    url_class: str
    traffic: str
    """The kind of use, a key of `TRAFFIC`."""
    status: str


def _apps() -> tuple[App, ...]:
    text = files("nss.lab").joinpath("apps.csv").read_text(encoding="utf-8")
    return tuple(App(**row) for row in csv.DictReader(text.splitlines()))


APPS = _apps()
"""Most used first: the generator gives them a Zipf-like popularity in this order."""


class Traffic(NamedTuple):
    """How an app is used: what is asked for and how much flows."""

    requests: tuple[tuple[str, str, str, str, str], ...]
    """(method, path, content type, file class, file type) of typical requests."""
    request_median_bytes: int
    response_median_bytes: int


_PLAIN = ("None", "None")

TRAFFIC = {
    "browse": Traffic(
        (
            ("GET", "/", "text/html", *_PLAIN),
            ("GET", "/search?hl=en&q=quarterly+report", "text/html", *_PLAIN),
            ("GET", "/static/js/main.9c1f.chunk.js", "application/x-javascript", *_PLAIN),
            ("GET", "/images/2026/banner-large.jpg", "image/jpeg", "Image Files", "JPEG"),
            ("GET", "/assets/css/site.min.css?v=20260114", "text/css", *_PLAIN),
            ("POST", "/ajax/feed/timeline/more?cursor=AQHRk0", "application/json", *_PLAIN),
            ("GET", "/favicon.ico", "image/x-icon", *_PLAIN),
        ),
        900,
        14_000,
    ),
    "office": Traffic(
        (
            ("GET", "/sites/sales/Shared%20Documents/", "text/html", *_PLAIN),
            ("POST", "/_api/web/GetList/Render", "application/json", *_PLAIN),
            ("POST", "/owa/service.svc?action=FindItem", "application/json", *_PLAIN),
            ("GET", "/api/v2.0/me/calendarview", "application/json", *_PLAIN),
            ("GET", "/download/Budget-2026.xlsx", "application/vnd_ms_excel",
             "Microsoft Office", "Microsoft Excel"),
            ("GET", "/download/Contract.pdf", "application/pdf", "PDF", "PDF"),
        ),
        1_800,
        9_000,
    ),
    "share": Traffic(
        (
            ("PUT", "/upload/v2/chunk/0007?name=archive", "application/zip",
             "Archive Files", "ZIP"),
            ("GET", "/d/1aZf3/download?export=1&confirm=t", "application/pdf", "PDF", "PDF"),
            ("POST", "/api/2/files/list_folder", "application/json", *_PLAIN),
            ("GET", "/releases/v2.4.1/setup-x64.exe", "application/octet-stream",
             "Executables", "Windows Executables"),
            ("POST", "/files/upload_session/append_v2", "application/octet-stream", *_PLAIN),
        ),
        24_000,
        40_000,
    ),
    "stream": Traffic(
        (
            ("GET", "/videoplayback?itag=248&range=0-", "video/webm",
             "Video", "WebM"),
            ("GET", "/watch?v=k3JbQ7xYd2s&list=PLr0", "text/html", *_PLAIN),
            ("GET", "/api/manifest/hls/playlist.m3u8", "application/x_mpegurl", *_PLAIN),
            ("GET", "/track/64kbps/segment-0041.ogg", "audio/ogg", "Audio", "OGG"),
        ),
        1_100,
        900_000,
    ),
    "api": Traffic(
        (
            ("POST", "/api/v1/messages", "application/json", *_PLAIN),
            ("GET", "/api/v1/channels/C024BE91L?limit=50", "application/json", *_PLAIN),
            ("POST", "/backend-api/conversation", "text/event_stream", *_PLAIN),
            ("POST", "/graphql", "application/json", *_PLAIN),
            ("PATCH", "/rest/api/3/issue/OPS-2217", "application/json", *_PLAIN),
            ("CONNECT", "", "Other", *_PLAIN),
        ),
        2_500,
        4_000,
    ),
}  # fmt: skip

BLOCKS = (
    "Not allowed to browse this category",
    "Not allowed to use this cloud application",
    "Not allowed to upload files of this type",
    "Not allowed to download files of this type",
    "Access denied due to bad server certificate",
    "Internet access cautioned",
    "Violates compliance category",
    "Not allowed to post to this site, read only",
)
"""Reasons of blocked records that policy explains."""

THREATS = (
    ("Malware block: malicious file", "Trojan", "Virus", "Win32.Trojan.Agent", 100),
    ("IPS block outbound request: botnet command and control traffic",
     "Botnet Callback", "Advanced Threat Protection", "Win32.Botnet.Gen", 96),
    ("Reputation block outbound request: phishing site",
     "Phishing", "Advanced Threat Protection", "HTML.Phish.Gen", 84),
    ("Reputation block outbound request: adware or spyware site",
     "Adware", "Spyware", "JS.Adware.Agent", 52),
)  # fmt: skip
"""(reason, malware category, malware class, threat name, risk score) of blocked threats."""

BROWSERS = (
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/131.0.0.0 Safari/537.36"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Windows Microsoft Windows 11 Enterprise ZTunnel/1.0",
    "Microsoft SkyDriveSync 24.226.1110.0004 ship; Windows NT 10.0",
    "Microsoft-CryptoAPI/10.0",
    "Teams/24335 (Macintosh)",
)

FIRST_NAMES = (
    "anna", "ben", "carla", "david", "elif", "frank", "grace", "hugo", "ines", "jonas", "kavya",
    "luis", "maria", "nils", "olga", "paul", "qing", "rosa", "samir", "tina", "uwe", "vera", "wei",
    "yara", "zoe",
)  # fmt: skip
LAST_NAMES = (
    "adler", "brown", "costa", "dietrich", "evans", "fischer", "garcia", "hansen", "ito", "jensen",
    "kowalski", "larsen", "meyer", "novak", "okafor", "peters", "quinn", "rossi", "schmidt",
    "tanaka", "usman", "vogel", "weber", "xu", "young", "zhang",
)  # fmt: skip
DEPARTMENTS = (
    "Sales", "Engineering", "Finance", "Human Resources", "Legal", "Marketing", "Operations",
    "Customer Support", "Research & Development", "Einkauf Süd", "Executive Office",
)  # fmt: skip
LOCATIONS = (
    "Headquarters", "Road Warrior", "Berlin-01", "Zürich West", "Austin -> Guest WiFi",
    "Singapore", "São Paulo", "Chennai Plant 2",
)  # fmt: skip
