"""TODO."""

import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from formats import pipeline
from formats.reading.json import json_names
from formats.times import zone
from nss.config.load import (
    CloudDiscoverySinkConfig,
    Config,
    DurableSpoolConfig,
    FeedConfig,
    FileSinkConfig,
    FileSourceConfig,
    HttpSourceConfig,
    ListeningSourceConfig,
    MemorySpoolConfig,
    SourceConfig,
    SpoolConfig,
    StdinSourceConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
    TcpSourceConfig,
)
from nss.config.machine import load_format, read_basic, read_obfuscation_key, read_token
from nss.errors import ServiceError, SourceError
from nss.feeds.collecting import CollectingFeed
from nss.feeds.feed import Feed, Origin
from nss.feeds.tap import Tap
from nss.mcas.access import McasAccess, audit_log, uploads_folder
from nss.sinks import CollectingSink, Sink
from nss.sinks.file import FileSink
from nss.sinks.syslog.tcp import SyslogTcpSink
from nss.sinks.syslog.udp import SyslogUdpSink
from nss.sources import Source
from nss.sources.file.source import FileSource
from nss.sources.http.source import HttpSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp.source import TcpSource
from nss.spool import Cursor, Spool
from nss.spool.durable.schema import At
from nss.spool.durable.spool import DurableSpool
from nss.spool.durable.store import Limits
from nss.spool.memory import MemorySpool

import ssl
from pathlib import Path

from nss.errors import SinkError


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that verifies chain and name of the peer, with TLS 1.2 or newer.

    `ca` holds the authorities, those of the system if `None`; `certificate` and `key` are what is
    shown to a peer that asks. All are PEM. Raises `SinkError` when one can't be used.
    """
    tip = "run nss check: it tells what is wrong with each file"
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise SinkError(f"using authorities failed: {why(error)} ({ca})", tip=tip) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        try:
            # Without an empty password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:
            where = f"{certificate}, {key}"
            raise SinkError(
                f"using a certificate failed: {why(error)} ({where})", tip=tip
            ) from error
    return context


def why(error: OSError) -> str:
    """Return what an error of a socket or of TLS means, as half a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.').lower()}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {error.reason.replace('_', ' ').lower()}"
    return (error.strerror or str(error)).lower()


def server_context(settings: ListeningSourceConfig) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    try:
        return _verifying_context(settings, settings.tls_certificate)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or "a file is not what it should be"
        raise SourceError(
            f"source {settings.name}: TLS can't be set up: {why}",
            tip="run nss check: it tells what is wrong with each file",
        ) from None


def _verifying_context(settings: ListeningSourceConfig, certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.tls_client_ca)
    context.load_cert_chain(certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
