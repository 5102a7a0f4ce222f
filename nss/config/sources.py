"""The sections of sources, one frozen type a kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from nss.config.kinds import GIB, KIB, MIB, Choice, FilePath, Flag, Seconds, Size, Whole
from nss.config.setting import Setting
from nss.config.values import (
    AUTO,
    Address,
    FormatChoice,
    FormatName,
    FormatText,
    ListenAddress,
    UrlPath,
    Zone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSourceConfig:
    """What every source has."""

    name: str
    format: Annotated[
        FormatChoice,
        Setting(
            FormatName(for_source=True),
            "The feed format that the records are in. `auto` recognises a preset from the records, "
            "`json` reads objects with NSS field names in any order.",
        ),
        Setting(
            FormatText(for_source=True),
            "The feed output format string that wrote the records, instead of `format`.",
            key="format_string",
            example="'%d{epochtime} %s{elogin} %s{eurl}'",
            absent="`format` holds",
        ),
    ] = AUTO
    zone: Annotated[
        str, Setting(Zone(), "The time zone of times in the records that carry none.")
    ] = "GMT"
    max_record_bytes: Annotated[
        int,
        Setting(
            Size(64, 256 * MIB), "A longer record is set apart as bad; its neighbours are not."
        ),
    ] = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSourceConfig(CommonSourceConfig):
    """Records from a file, followed through rotation or read once as a whole."""

    kind: ClassVar[str] = "file"

    path: Annotated[
        Path, Setting(FilePath(), "The file to read.", example='"/var/log/nss/web.log"')
    ]
    follow: Annotated[
        bool,
        Setting(
            Flag(), "Whether to wait for more at the end of the file; otherwise it is read once."
        ),
    ] = True
    poll_secs: Annotated[
        float, Setting(Seconds(0.01, 60), "How often a followed file is looked at for more.")
    ] = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinSourceConfig(CommonSourceConfig):
    """Records from standard input, until it ends."""

    kind: ClassVar[str] = "stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningSourceConfig(CommonSourceConfig):
    """What every source has that others connect to."""

    listen: Annotated[
        Address,
        Setting(ListenAddress(), "The address to listen at.", example='"127.0.0.1:5514"'),
    ]
    tls_certificate: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The certificate chain of the listener, PEM; needs `tls_key`.",
            example='"server.pem"',
            absent="no TLS",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The private key of `tls_certificate`, PEM, not encrypted, not readable for everyone.",
            example='"server.key"',
            absent="no TLS",
        ),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The authorities, PEM, one of which must have signed each client's certificate.",
            example='"clients-ca.pem"',
            absent="no client certificates",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSourceConfig(ListeningSourceConfig):
    """Records from TCP connections, with TLS when a certificate is given."""

    kind: ClassVar[str] = "tcp"

    framing: Annotated[
        Literal["auto", "newline", "octet"],
        Setting(
            Choice("auto", "newline", "octet"),
            "How records are told apart: by line feeds, by octet counts (RFC 6587), or by "
            "whichever a connection starts with.",
        ),
    ] = "auto"
    idle_secs: Annotated[
        float, Setting(Seconds(0.1, 86_400), "A connection silent for this long is closed.")
    ] = 600.0
    max_connections: Annotated[
        int, Setting(Whole(1, 100_000, "connections"), "Connections beyond this many are refused.")
    ] = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSourceConfig(ListeningSourceConfig):
    """Records pushed over HTTP as Cloud NSS does: JSON lines or arrays, also compressed.

    Answers 200 once the records are accepted, 503 while the spool is full. A listener that is not
    on loopback needs `token_file` or `basic_file`.
    """

    kind: ClassVar[str] = "http"

    listen: Annotated[
        Address,
        Setting(ListenAddress(), "The address to accept requests at.", example='"127.0.0.1:8088"'),
    ]
    path: Annotated[str, Setting(UrlPath(), "The path that takes POST requests.")] = "/"
    token_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with the token that requests must carry as `Authorization: Bearer`, not "
            "readable for everyone.",
            example='"push.token"',
            absent="no token",
        ),
    ] = None
    basic_file: Annotated[
        Path | None,
        Setting(
            FilePath(),
            "The file with `USER:PASSWORD` that requests must carry as `Authorization: Basic`, not "
            "readable for everyone.",
            example='"push.password"',
            absent="no password",
        ),
    ] = None
    max_body_bytes: Annotated[
        int, Setting(Size(KIB, GIB), "A longer request body, as it is sent, is answered with 413.")
    ] = 32 * MIB
    max_decompressed_bytes: Annotated[
        int, Setting(Size(KIB, 4 * GIB), "A body longer than this unpacked is answered with 413.")
    ] = 256 * MIB
    max_connections: Annotated[
        int, Setting(Whole(1, 100_000, "connections"), "Requests beyond this many at once get 503.")
    ] = 64
    body_secs: Annotated[
        float, Setting(Seconds(0.1, 3600), "How long a request body may take to come.")
    ] = 60.0


SourceConfig = FileSourceConfig | StdinSourceConfig | TcpSourceConfig | HttpSourceConfig
SOURCE_KINDS: tuple[type[SourceConfig], ...] = (
    FileSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
    HttpSourceConfig,
)
