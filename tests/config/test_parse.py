"""TOML to the frozen configuration."""

from pathlib import Path

from formats import filters
from nss.config.load import parse
from nss.config.model import (
    Config,
    DurableSpoolConfig,
    FeedConfig,
    McasConfig,
    MemorySpoolConfig,
    ServiceConfig,
    ZiaConfig,
)
from nss.config.portal import PortalConfig
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    FileSinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import (
    FileSourceConfig,
    HttpSourceConfig,
    StdinSourceConfig,
    TcpSourceConfig,
)
from nss.config.sync import SyncConfig
from nss.config.updates import UpdatesConfig
from nss.config.values import Address, FormatChoice

BASE = Path("/etc/nss")

SMALLEST = """
[sources.web]
kind = "file"
path = "web.log"

[feeds.mcas]
format = "MCAS"

[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com"]
"""


def test_the_smallest_configuration_is_filled_with_the_defaults() -> None:
    assert parse(SMALLEST, BASE) == Config(
        service=ServiceConfig(
            log_format="text",
            log_level="info",
            drain_secs=10.0,
            control_socket=Path("/run/nss/control.sock"),
            state_directory=Path("/var/lib/nss"),
            metrics_listen=None,
        ),
        mcas=McasConfig(
            data_source="NSS",
            source_type="ZSCALER_QRADAR_SYSLOG",
            requests_per_minute=30,
            timeout_secs=60.0,
            proxy=None,
            proxy_auth_file=None,
            ca_file=None,
            token_file=None,
            token_api_url=None,
        ),
        zia=ZiaConfig(timeout_secs=60.0, proxy=None, proxy_auth_file=None, ca_file=None),
        sync=SyncConfig(
            target="auto",
            list="script",
            category="MS Defender Unsanctioned Apps",
            retain_parent_category=True,
            exclusive=False,
            max_shrink_percent=50,
            interval_minutes=120,
            deadline_minutes=30,
            urls_per_request=1000,
            max_url_chars=1024,
            file_path=None,
            file_format="plain",
            reload_command=None,
            reload_secs=30.0,
            synced_by=None,
        ),
        portal=PortalConfig(
            listen=None,
            hosts=(),
            tls_certificate=None,
            tls_key=None,
            idle_minutes=30,
            session_hours=12,
        ),
        updates=UpdatesConfig(
            repository=None,
            suite="stable",
            key_file=None,
            client_certificate_file=None,
            client_key_file=None,
            trust_file=None,
            proxy=None,
            proxy_auth_file=None,
            timeout_secs=60.0,
            verify_secs=120.0,
        ),
        spool=DurableSpoolConfig(
            path=Path("/var/lib/nss/spool.db"),
            max_bytes=8_589_934_592,
            min_free_bytes=536_870_912,
            when_full="wait",
            replay_minutes=60,
            rejects_max_bytes=67_108_864,
        ),
        sources=(
            FileSourceConfig(
                name="web",
                path=Path("/etc/nss/web.log"),
                follow=True,
                poll_secs=0.25,
                format=FormatChoice("auto"),
                zone="GMT",
                max_record_bytes=1_048_576,
            ),
        ),
        feeds=(
            FeedConfig(
                name="mcas",
                sources=("web",),
                format=FormatChoice("preset", "MCAS"),
                zone="GMT",
                escape_characters="",
                protect_separators=True,
                protect_for=(),
                obfuscation_key_file=None,
                filter=filters.parse({}),
                sink=SyslogUdpSinkConfig(
                    destinations=(Address("collector.example.com", 514),),
                    pri=None,
                    rfc5424=False,
                    hostname=None,
                    app_name="zscaler-nss",
                    max_message_bytes=8192,
                    max_messages_per_sec=None,
                    source_ports=1,
                    resolve_secs=300.0,
                    failback_secs=60.0,
                ),
            ),
        ),
    )


def test_every_key_can_be_set() -> None:
    text = """
    [service]
    log_format = "json"
    log_level = "debug"
    drain_secs = 2
    control_socket = "control.sock"
    metrics_listen = "[::1]:9632"
    state_directory = "state"
    [mcas]
    data_source = "Our NSS"
    source_type = "GENERIC_LEEF"
    requests_per_minute = 20
    timeout_secs = 5
    proxy = "http://proxy.example.com:3128/"
    proxy_auth_file = "proxy-auth"
    ca_file = "company-ca.pem"
    token_file = "token"
    token_api_url = "https://contoso.us3.portal.cloudappsecurity.com"

    [zia]
    timeout_secs = 90
    proxy = "http://other.example.com:3128"
    proxy_auth_file = "zia-auth"
    ca_file = "zia-ca.pem"

    [portal]
    listen = ":8443"
    hosts = ["nss1.example.com", "10.0.0.1"]
    tls_certificate = "portal.pem"
    tls_key = "/etc/keys/portal.key"
    idle_minutes = 5
    session_hours = 168

    [sync]
    target = "file"
    list = "json"
    category = "Shadow IT (blocked)"
    retain_parent_category = false
    exclusive = true
    max_shrink_percent = 20
    interval_minutes = 60
    deadline_minutes = 10
    urls_per_request = 200
    max_url_chars = 253
    file_path = "lists/blocked"
    file_format = "squid"
    reload_command = ["/usr/bin/systemctl", "reload", "squid"]
    reload_secs = 5

    [updates]
    repository = "https://updates.example.com/nss/"
    suite = "testing"
    key_file = "updates.asc"
    client_certificate_file = "client.pem"
    client_key_file = "client.key"
    trust_file = "company-ca.pem"
    proxy = "http://proxy.example.com:3128"
    proxy_auth_file = "proxy-auth"
    timeout_secs = 20
    verify_secs = 300

    [spool]
    kind = "durable"
    path = "spool.db"
    max_bytes = "1TiB"
    min_free_bytes = 0
    when_full = "drop_oldest"
    replay_minutes = 0
    rejects_max_bytes = "1 MiB"

    [sources.push]
    kind = "http"
    listen = ":8088"
    path = "/nss/web"
    token_file = "push.token"
    max_body_bytes = "1MiB"
    max_decompressed_bytes = "2MiB"
    max_connections = 7
    body_secs = 1.5
    tls_certificate = "tls/server.pem"
    tls_key = "/keys/server.key"
    tls_client_ca = "tls/ca.pem"

    [sources.relay]
    kind = "tcp"
    listen = "[::1]:5514"
    framing = "octet"
    idle_secs = 30
    max_connections = 5
    tls_certificate = "tls/server.pem"
    tls_key = "/keys/server.key"
    tls_client_ca = "tls/ca.pem"
    format = "forms/own.fof"
    zone = "Europe/Berlin"
    max_record_bytes = 2000

    [sources.pipe]
    kind = "stdin"
    format_string = "%s{login} %s{url}"

    [feeds.all]
    format_string = '''%s{elogin}\\t%s{eurl}'''
    zone = "GMT-05:30"
    escape_characters = ',"'
    protect_separators = false
    protect_for = ["pipes", "quotes"]
    obfuscation_key_file = "key"
    [feeds.all.filter]
    methods = ["POST", "PUT"]
    [feeds.all.sink]
    kind = "file"
    path = "lines"
    rotate_bytes = "1MB"
    rotate_keep = 3
    sync = true

    [feeds.screen]
    sources = ["pipe"]
    format = "CSV"
    sink = {kind = "file", path = "-"}

    [feeds.siem]
    sources = ["push"]
    format = "QRADAR"
    [feeds.siem.sink]
    kind = "syslog_tcp"
    destinations = ["192.0.2.1:6514"]
    framing = "octet"
    pri = 13
    rfc5424 = true
    hostname = "nss1"
    app_name = "nss"
    max_message_bytes = "60KB"
    max_messages_per_sec = 9000
    tls = true
    tls_ca = "siem-ca.pem"
    tls_certificate = "nss.pem"
    tls_key = "nss.key"
    tls_server_name = "siem.example.com"
    connect_secs = 3
    stall_secs = 5
    resend_secs = 60
    resolve_secs = 5.5
    failback_secs = 10

    [feeds.cloud]
    sources = ["pipe"]
    format = "MCAS"
    [feeds.cloud.sink]
    kind = "cloud_discovery"
    max_records = 5000
    max_bytes = "1MB"
    max_secs = 60
    gzip = true

    [feeds.one]
    sources = ["pipe"]
    format = "QRADAR"
    [feeds.one.sink]
    kind = "syslog_udp"
    destinations = ["192.0.2.1:1514", "[2001:db8::1]"]
    pri = 13
    rfc5424 = true
    hostname = "nss1"
    app_name = "nss"
    max_message_bytes = "60KB"
    max_messages_per_sec = 9000
    source_ports = 4
    resolve_secs = 5.5
    failback_secs = 10
    """
    assert parse(text, BASE) == Config(
        service=ServiceConfig(
            log_format="json",
            log_level="debug",
            drain_secs=2.0,
            control_socket=Path("/etc/nss/control.sock"),
            state_directory=Path("/etc/nss/state"),
            metrics_listen=Address("::1", 9632),
        ),
        mcas=McasConfig(
            data_source="Our NSS",
            source_type="GENERIC_LEEF",
            requests_per_minute=20,
            timeout_secs=5.0,
            proxy="http://proxy.example.com:3128",
            proxy_auth_file=Path("/etc/nss/proxy-auth"),
            ca_file=Path("/etc/nss/company-ca.pem"),
            token_file=Path("/etc/nss/token"),
            token_api_url="https://contoso.us3.portal.cloudappsecurity.com",  # noqa: S106 - a URL
        ),
        zia=ZiaConfig(
            timeout_secs=90.0,
            proxy="http://other.example.com:3128",
            proxy_auth_file=Path("/etc/nss/zia-auth"),
            ca_file=Path("/etc/nss/zia-ca.pem"),
        ),
        sync=SyncConfig(
            target="file",
            list="json",
            category="Shadow IT (blocked)",
            retain_parent_category=False,
            exclusive=True,
            max_shrink_percent=20,
            interval_minutes=60,
            deadline_minutes=10,
            urls_per_request=200,
            max_url_chars=253,
            file_path=Path("/etc/nss/lists/blocked"),
            file_format="squid",
            reload_command=("/usr/bin/systemctl", "reload", "squid"),
            reload_secs=5.0,
        ),
        portal=PortalConfig(
            listen=Address("", 8443),
            hosts=("nss1.example.com", "10.0.0.1"),
            tls_certificate=Path("/etc/nss/portal.pem"),
            tls_key=Path("/etc/keys/portal.key"),
            idle_minutes=5,
            session_hours=168,
        ),
        updates=UpdatesConfig(
            repository="https://updates.example.com/nss",
            suite="testing",
            key_file=Path("/etc/nss/updates.asc"),
            client_certificate_file=Path("/etc/nss/client.pem"),
            client_key_file=Path("/etc/nss/client.key"),
            trust_file=Path("/etc/nss/company-ca.pem"),
            proxy="http://proxy.example.com:3128",
            proxy_auth_file=Path("/etc/nss/proxy-auth"),
            timeout_secs=20.0,
            verify_secs=300.0,
        ),
        spool=DurableSpoolConfig(
            path=Path("/etc/nss/spool.db"),
            max_bytes=1 << 40,
            min_free_bytes=0,
            when_full="drop_oldest",
            replay_minutes=0,
            rejects_max_bytes=1 << 20,
        ),
        sources=(
            HttpSourceConfig(
                name="push",
                listen=Address("", 8088),
                path="/nss/web",
                token_file=Path("/etc/nss/push.token"),
                basic_file=None,
                max_body_bytes=1 << 20,
                max_decompressed_bytes=2 << 20,
                max_connections=7,
                body_secs=1.5,
                tls_certificate=Path("/etc/nss/tls/server.pem"),
                tls_key=Path("/keys/server.key"),
                tls_client_ca=Path("/etc/nss/tls/ca.pem"),
            ),
            TcpSourceConfig(
                name="relay",
                listen=Address("::1", 5514),
                framing="octet",
                idle_secs=30.0,
                max_connections=5,
                tls_certificate=Path("/etc/nss/tls/server.pem"),
                tls_key=Path("/keys/server.key"),
                tls_client_ca=Path("/etc/nss/tls/ca.pem"),
                format=FormatChoice("file", "/etc/nss/forms/own.fof"),
                zone="Europe/Berlin",
                max_record_bytes=2000,
            ),
            StdinSourceConfig(name="pipe", format=FormatChoice("string", "%s{login} %s{url}")),
        ),
        feeds=(
            FeedConfig(
                name="all",
                sources=("push", "relay", "pipe"),
                format=FormatChoice("string", "%s{elogin}\\t%s{eurl}"),
                zone="GMT-05:30",
                escape_characters=',"',
                protect_separators=False,
                protect_for=("pipes", "quotes"),
                obfuscation_key_file=Path("/etc/nss/key"),
                filter=filters.parse({"methods": ["POST", "PUT"]}),
                sink=FileSinkConfig(
                    path=Path("/etc/nss/lines"), rotate_bytes=1_000_000, rotate_keep=3, sync=True
                ),
            ),
            FeedConfig(
                name="screen",
                sources=("pipe",),
                format=FormatChoice("preset", "CSV"),
                filter=filters.parse({}),
                sink=FileSinkConfig(path=None, rotate_bytes=None, rotate_keep=10, sync=False),
            ),
            FeedConfig(
                name="siem",
                sources=("push",),
                format=FormatChoice("preset", "QRADAR"),
                filter=filters.parse({}),
                sink=SyslogTcpSinkConfig(
                    destinations=(Address("192.0.2.1", 6514),),
                    framing="octet",
                    pri=13,
                    rfc5424=True,
                    hostname="nss1",
                    app_name="nss",
                    max_message_bytes=60_000,
                    max_messages_per_sec=9000,
                    tls=True,
                    tls_ca=Path("/etc/nss/siem-ca.pem"),
                    tls_certificate=Path("/etc/nss/nss.pem"),
                    tls_key=Path("/etc/nss/nss.key"),
                    tls_server_name="siem.example.com",
                    connect_secs=3.0,
                    stall_secs=5.0,
                    resend_secs=60.0,
                    resolve_secs=5.5,
                    failback_secs=10.0,
                ),
            ),
            FeedConfig(
                name="cloud",
                sources=("pipe",),
                format=FormatChoice("preset", "MCAS"),
                filter=filters.parse({}),
                sink=CloudDiscoverySinkConfig(
                    max_records=5000, max_bytes=1_000_000, max_secs=60.0, gzip=True
                ),
            ),
            FeedConfig(
                name="one",
                sources=("pipe",),
                format=FormatChoice("preset", "QRADAR"),
                filter=filters.parse({}),
                sink=SyslogUdpSinkConfig(
                    destinations=(Address("192.0.2.1", 1514), Address("2001:db8::1", 514)),
                    pri=13,
                    rfc5424=True,
                    hostname="nss1",
                    app_name="nss",
                    max_message_bytes=60_000,
                    max_messages_per_sec=9000,
                    source_ports=4,
                    resolve_secs=5.5,
                    failback_secs=10.0,
                ),
            ),
        ),
    )


def test_a_spool_in_memory_has_a_size_alone() -> None:
    config = parse(SMALLEST + "[spool]\nkind = 'memory'\nmax_bytes = '64 MiB'\n", BASE)
    assert config.spool == MemorySpoolConfig(max_bytes=67_108_864)
    config = parse(SMALLEST + "[spool]\nkind = 'memory'\n", BASE)
    assert config.spool == MemorySpoolConfig(max_bytes=33_554_432)


def test_the_control_socket_and_the_metrics_can_be_off() -> None:
    service = "[service]\ncontrol_socket = 'off'\nmetrics_listen = 'off'\n"
    assert parse(SMALLEST + service, BASE).service == ServiceConfig(
        control_socket=None, metrics_listen=None
    )
