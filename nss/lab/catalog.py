"""Who and what the record generator draws from: cloud apps, people, browsers, policy reasons."""

from typing import NamedTuple


class App(NamedTuple):
    """A cloud app as its records show it."""

    name: str
    app_class: str
    host: str
    category: str
    super_category: str
    url_class: str
    traffic: str
    """The kind of use, a key of `TRAFFIC`."""


_IT = "Information Technology"
_BIZ = "Business and Economy"
_NET = "Internet Communication"
_FUN = "Entertainment/Recreation"
_SOCIAL = "Society and Lifestyle"
_WORK = "Business Use"
_PROD = "Productivity Loss"
_BAND = "Bandwidth Loss"
_PRIV = "Privacy Risk"

# Most used first: the generator gives them a Zipf-like popularity in this order.
APPS = (
    App("SharePoint Online", "Collaboration", "contoso.sharepoint.com",
        "Professional Services", _BIZ, _WORK, "office"),
    App("Microsoft Teams", "Collaboration", "teams.microsoft.com",
        "Online Chat", _NET, _WORK, "office"),
    App("Exchange Online", "Webmail", "outlook.office365.com",
        "Web-based Email", _NET, _WORK, "office"),
    App("Google Search", "Web Search", "www.google.com",
        "Web Search", _IT, _WORK, "browse"),
    App("OneDrive", "File Share", "contoso-my.sharepoint.com",
        "File Host", _IT, _WORK, "share"),
    App("YouTube", "Streaming Media", "www.youtube.com",
        "Streaming Media", _FUN, _BAND, "stream"),
    App("General Browsing", "General Browsing", "www.example.com",
        "Corporate Marketing", _BIZ, _WORK, "browse"),
    App("Gmail", "Webmail", "mail.google.com",
        "Web-based Email", _NET, _PROD, "browse"),
    App("ChatGPT", "AI & ML Apps", "chatgpt.com",
        "AI & ML Applications", _IT, _PRIV, "api"),
    App("Salesforce", "Sales and Marketing", "contoso.my.salesforce.com",
        "Professional Services", _BIZ, _WORK, "api"),
    App("Slack", "Instant Messaging", "app.slack.com",
        "Online Chat", _NET, _WORK, "api"),
    App("Zoom", "Collaboration", "us02web.zoom.us",
        "Internet Services", _NET, _WORK, "api"),
    App("GitHub", "System and Development", "github.com",
        "Computer Hacking and Development", _IT, _WORK, "share"),
    App("LinkedIn", "Social Networking", "www.linkedin.com",
        "Professional Networking", _SOCIAL, _PROD, "browse"),
    App("Google Drive", "File Share", "drive.google.com",
        "File Host", _IT, _PRIV, "share"),
    App("Facebook", "Social Networking", "www.facebook.com",
        "Social Networking", _SOCIAL, _PROD, "browse"),
    App("Jira", "IT Services", "contoso.atlassian.net",
        "Professional Services", _BIZ, _WORK, "api"),
    App("Dropbox", "File Share", "www.dropbox.com",
        "File Host", _IT, _PRIV, "share"),
    App("Amazon Web Services", "Hosting Providers", "s3.amazonaws.com",
        "Web Host", _IT, _WORK, "share"),
    App("Spotify", "Streaming Media", "open.spotify.com",
        "Music", _FUN, _BAND, "stream"),
    App("WhatsApp", "Instant Messaging", "web.whatsapp.com",
        "Online Chat", _NET, _PROD, "api"),
    App("Reddit", "Social Networking", "www.reddit.com",
        "Discussion Forums", _SOCIAL, _PROD, "browse"),
    App("Adobe Creative Cloud", "Productivity and CRM Tools", "assets.adobe.com",
        "Professional Services", _BIZ, _WORK, "share"),
    App("Netflix", "Streaming Media", "www.netflix.com",
        "Streaming Media", _FUN, _BAND, "stream"),
    App("ServiceNow", "IT Services", "contoso.service-now.com",
        "Professional Services", _BIZ, _WORK, "api"),
    App("Workday", "Human Resources", "wd5.myworkday.com",
        "Professional Services", _BIZ, _WORK, "office"),
    App("Bing", "Web Search", "www.bing.com",
        "Web Search", _IT, _WORK, "browse"),
    App("Box", "File Share", "app.box.com",
        "File Host", _IT, _WORK, "share"),
    App("Instagram", "Social Networking", "www.instagram.com",
        "Social Networking", _SOCIAL, _PROD, "browse"),
    App("Notion", "Productivity and CRM Tools", "www.notion.so",
        "Internet Services", _NET, _WORK, "api"),
    App("Wikipedia", "General Browsing", "en.wikipedia.org",
        "Reference Sites", _SOCIAL, _WORK, "browse"),
    App("Stack Overflow", "System and Development", "stackoverflow.com",
        "Discussion Forums", _IT, _WORK, "browse"),
    App("X", "Social Networking", "x.com",
        "Social Networking", _SOCIAL, _PROD, "browse"),
    App("WeTransfer", "File Share", "wetransfer.com",
        "File Host", _IT, _PRIV, "share"),
    App("DeepL", "AI & ML Apps", "www.deepl.com",
        "Translators", _IT, _PRIV, "api"),
    App("Canva", "Productivity and CRM Tools", "www.canva.com",
        "Internet Services", _NET, _WORK, "office"),
    App("Claude", "AI & ML Apps", "claude.ai",
        "AI & ML Applications", _IT, _PRIV, "api"),
    App("Trello", "Productivity and CRM Tools", "trello.com",
        "Internet Services", _NET, _WORK, "api"),
    App("Okta", "Security and Identity", "contoso.okta.com",
        "Computer Security", _IT, _WORK, "office"),
    App("Miro", "Collaboration", "miro.com",
        "Internet Services", _NET, _WORK, "api"),
    App("HubSpot", "Sales and Marketing", "app.hubspot.com",
        "Corporate Marketing", _BIZ, _WORK, "api"),
    App("TikTok", "Social Networking", "www.tiktok.com",
        "Social Networking", _SOCIAL, _BAND, "stream"),
    App("Yahoo Mail", "Webmail", "mail.yahoo.com",
        "Web-based Email", _NET, _PROD, "browse"),
    App("Grammarly", "AI & ML Apps", "app.grammarly.com",
        "Internet Services", _NET, _PRIV, "api"),
    App("DocuSign", "Legal", "eu.docusign.net",
        "Professional Services", _BIZ, _WORK, "office"),
    App("Webex", "Collaboration", "contoso.webex.com",
        "Internet Services", _NET, _WORK, "api"),
    App("MEGA", "File Share", "mega.nz",
        "File Host", _IT, _PRIV, "share"),
    App("Perplexity", "AI & ML Apps", "www.perplexity.ai",
        "AI & ML Applications", _IT, _PRIV, "api"),
    App("Figma", "Productivity and CRM Tools", "www.figma.com",
        "Internet Services", _NET, _WORK, "api"),
    App("Twitch", "Streaming Media", "www.twitch.tv",
        "Streaming Media", _FUN, _BAND, "stream"),
    App("Pastebin", "File Share", "pastebin.com",
        "Online Storage", _IT, _PRIV, "share"),
    App("Discord", "Instant Messaging", "discord.com",
        "Online Chat", _NET, _PROD, "api"),
    App("Telegram", "Instant Messaging", "web.telegram.org",
        "Online Chat", _NET, _PRIV, "api"),
    App("SurveyMonkey", "Sales and Marketing", "www.surveymonkey.com",
        "Professional Services", _BIZ, _WORK, "office"),
    App("Zendesk", "Sales and Marketing", "contoso.zendesk.com",
        "Professional Services", _BIZ, _WORK, "api"),
    App("GitLab", "System and Development", "gitlab.com",
        "Computer Hacking and Development", _IT, _WORK, "share"),
    App("JetBrains", "System and Development", "download.jetbrains.com",
        "Computer Hacking and Development", _IT, _WORK, "share"),
    App("Proton Mail", "Webmail", "mail.proton.me",
        "Web-based Email", _NET, _PRIV, "browse"),
    App("SAP SuccessFactors", "Human Resources", "hcm12.example.net",
        "Professional Services", _BIZ, _WORK, "office"),
    App("Smartsheet", "Productivity and CRM Tools", "app.smartsheet.com",
        "Internet Services", _NET, _WORK, "office"),
    App("Internal Wiki", "Collaboration", "wiki.example.org",
        "Reference Sites", _SOCIAL, _WORK, "browse"),
    App("Online Casino", "Consumer", "play.example.net",
        "Gambling", "Gambling", "Legal Liability", "browse"),
)  # fmt: skip

UNSANCTIONED = frozenset(
    {"Dropbox", "WeTransfer", "MEGA", "Pastebin", "Telegram", "TikTok", "Proton Mail", "Twitch"}
)
SANCTIONED = frozenset(
    {"SharePoint Online", "Microsoft Teams", "Exchange Online", "OneDrive", "Salesforce", "Jira"}
    | {"GitHub", "ServiceNow", "Workday", "Okta", "Zoom", "Internal Wiki"}
)


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
