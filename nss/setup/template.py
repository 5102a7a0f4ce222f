"""The commented configuration file that is made of a few choices."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nss.config.discovery import suits_collector
from nss.config.kafka import KAFKA_PORT, topic_name
from nss.config.kinds import InvalidValue
from nss.config.model import Config, McasConfig
from nss.config.portal import LOOPBACK, PortalConfig
from nss.config.setting import held_by
from nss.config.sinks import (
    CloudDiscoverySinkConfig,
    FileSinkConfig,
    KafkaSinkConfig,
    SinkConfig,
    SyslogTcpSinkConfig,
    SyslogUdpSinkConfig,
)
from nss.config.sources import FileSourceConfig, HttpSourceConfig, TcpSourceConfig
from nss.config.toml import toml_text
from nss.config.values import destination, format_name
from nss.errors import UsageError
from nss.wording import page

Way = Literal["udp", "tcp", "tls", "file", "mcas", "kafka"]

_FEEDS = {
    "udp": "mcas",
    "tcp": "siem",
    "tls": "siem-tls",
    "file": "archive",
    "mcas": "upload",
    "kafka": "kafka",
}
_MARKS = {"file": ":", "mcas": ""}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a feed delivers: `udp`, `tcp` and `tls` to HOST:PORT, `kafka` to HOST:PORT/TOPIC,
    `file` to a path, or `mcas`.
    """

    way: Way
    place: str = ""

    @property
    def feed(self) -> str:
        """The name of the feed that goes there, the first of its kind."""
        return _FEEDS[self.way]

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Return the target that a text names. Raises `UsageError`."""
        way, mark, place = text.partition("://")
        if text == "mcas":
            return cls("mcas")
        if text.startswith("file:"):
            return cls("file", text.removeprefix("file:"))
        if mark and way == "kafka":
            return cls("kafka", _topic_place(place))
        if mark and way in {"udp", "tcp", "tls"}:
            try:
                return cls(way, str(destination().read(place)))  # type: ignore[arg-type]
            except InvalidValue as error:
                raise UsageError(f"configure: {error.problems[0].reason}: {place}") from None
        raise UsageError(
            f"configure: this is no place for records: {text}",
            tip="udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, kafka://HOST:PORT/TOPIC, "
            "file:PATH or mcas",
        )

    @property
    def is_collector(self) -> bool:
        """Whether this is how a log collector of MCAS is reached."""
        return self.way == "udp"

    @property
    def identity(self) -> tuple[str, str]:
        """The same for all targets that are one place, however it is written."""
        if self.way in {"file", "mcas"}:
            return self.way, self.place
        return "tcp" if self.way == "tls" else self.way, self.place.lower()

    def __str__(self) -> str:
        return f"{self.way}{_MARKS.get(self.way, '://')}{self.place}"


def _topic_place(place: str) -> str:
    """Return a broker and a topic in their normal form. Raises `UsageError`."""
    broker, _, topic = place.partition("/")
    try:
        return f"{destination(KAFKA_PORT).read(broker)}/{topic_name().read(topic)}"
    except InvalidValue as error:
        raise UsageError(
            f"configure: {error.problems[0].reason}: {place}", tip="kafka://HOST:PORT/TOPIC"
        ) from None


UPLOAD = Target("mcas")
_PORTAL = PortalConfig(listen=LOOPBACK)
_MCAS = McasConfig()


@dataclass(frozen=True, slots=True)
class Choices:
    """What a configuration is to have; an empty text is a source that is not wanted."""

    listen_tcp: str = "127.0.0.1:5514"
    listen_http: str = ""
    token_file: str = ""
    file: str = ""
    format: str = "MCAS"
    zone: str = "GMT"
    targets: tuple[Target, ...] = ()
    portal: PortalConfig = _PORTAL
    """On, for a new file; nobody is asked, and what is chosen is kept."""
    mcas: McasConfig = _MCAS
    """Nobody is asked either."""

    @property
    def feed_names(self) -> tuple[str, ...]:
        """The names of the feeds, one a target, in the same order."""
        names: list[str] = []
        seen: Counter[str] = Counter()
        for target in self.targets:
            seen[target.feed] += 1
            number = seen[target.feed]
            names.append(target.feed if number == 1 else f"{target.feed}-{number}")
        return tuple(names)

    def format_for(self, target: Target) -> str:
        """Return the feed format for a target: uploads need one that Cloud Discovery parses."""
        if target != UPLOAD or self.mcas.source_type != _MCAS.source_type:
            return self.format
        choice = format_name().read(self.format)
        is_unfit = choice.kind in {"preset", "unchanged"} and not suits_collector(choice)
        return "MCAS" if is_unfit and self.mcas.check_source_type else self.format


def repeated(targets: Sequence[Target]) -> Target | None:
    """Return the first target that is the same place as one before it."""
    for number, target in enumerate(targets):
        if target.identity in {other.identity for other in targets[:number]}:
            return target
    return None


def choices_of(config: Config) -> Choices:
    """Return the choices that come nearest to a configuration."""
    found = {"listen_tcp": "", "listen_http": "", "token_file": "", "file": ""}
    for source in config.sources:
        match source:
            case TcpSourceConfig():
                found["listen_tcp"] = str(source.listen)
            case HttpSourceConfig():
                found["listen_http"] = str(source.listen)
                found["token_file"] = str(source.token_file or "")
            case FileSourceConfig():
                found["file"] = str(source.path)
            case _:
                pass
    targets = tuple(_target(feed.sink) for feed in config.feeds)
    # Of an upload's format nothing follows for the others, see `format_for`.
    others = (feed for feed in config.feeds if not isinstance(feed.sink, CloudDiscoverySinkConfig))
    first = next(others, config.feeds[0])
    return Choices(
        **found,
        format=first.format.value,
        zone=first.zone,
        targets=targets,
        portal=config.portal,
        mcas=config.mcas,
    )


def _target(sink: SinkConfig) -> Target:
    match sink:
        case SyslogUdpSinkConfig():
            return Target("udp", str(sink.destinations[0]))
        case SyslogTcpSinkConfig():
            return Target("tls" if sink.tls else "tcp", str(sink.destinations[0]))
        case FileSinkConfig():
            return Target("file", str(sink.path or "-"))
        case CloudDiscoverySinkConfig():
            return Target("mcas")
        case KafkaSinkConfig():
            return Target("kafka", f"{sink.brokers[0]}/{sink.topic}")


def text_of(choices: Choices) -> str:
    """Return the configuration file."""
    lines = [*_head(), *_portal(choices.portal), *_spool(), *_mcas(choices)]
    return "\n".join([*lines, *_sources(choices), *_feeds(choices)]) + "\n"


def _head() -> Iterator[str]:
    yield "# The configuration of NSS, written by nss configure, which may be run again."
    described = page("configuration.md")
    yield "# nss check says what is wrong with it, nss reload puts a change in force."
    if described is not None:
        yield f"# {described} has every key."
    yield "\n[service]"
    yield "# Prometheus metrics and health pages, without a password: keep it on loopback."
    yield '#metrics_listen = "127.0.0.1:9632"'


def _portal(portal: PortalConfig) -> Iterator[str]:
    yield "\n# Pages to set NSS up and watch it in a browser, after sudo nss portal set-password."
    yield "# From elsewhere: ssh -L 9633:127.0.0.1:9633 HOST, or TLS, hosts and a firewall."
    yield "[portal]"
    if portal.listen is None:
        yield f'#listen = "{LOOPBACK}"'
    for held in held_by(portal):
        if held.value != held.entry.default:
            yield f"{held.entry.key} = {held.entry.kind.show(held.value)}"


def _spool() -> Iterator[str]:
    yield "\n# The queue between sources and feeds, on disk: what was accepted survives a crash."
    yield "[spool]"
    yield '#max_bytes = "8GiB"'
    yield "# How long records stay for nss replay, while there is room."
    yield "#replay_minutes = 60"


def _mcas(choices: Choices) -> Iterator[str]:
    if UPLOAD not in choices.targets and choices.mcas == _MCAS:
        return
    yield "\n# Microsoft Defender for Cloud Apps. The credentials are stored elsewhere, by"
    yield "# sudo nss configure-mcas2."
    yield "[mcas]"
    yield "# The data source in the Defender portal, by its name: what arrives for any other may be"
    yield "# dropped there silently."
    yield f"data_source = {toml_text(choices.mcas.data_source)}"
    if choices.mcas.proxy is None:
        yield '#proxy = "http://proxy.example.com:3128"'
    if choices.mcas.ca_file is None:
        yield '#ca_file = "company-ca.pem"'
    for held in held_by(choices.mcas):
        if held.value != held.entry.default and held.entry.key != "data_source":
            yield f"{held.entry.key} = {held.entry.kind.show(held.value)}"


def _sources(choices: Choices) -> Iterator[str]:
    yield "\n\n# Where records come from."
    if choices.listen_tcp:
        yield ""
        yield "# Over TCP, which says nothing about who sends: keep the port behind a firewall, or"
        yield "# give a certificate (nss install-cert), and the authorities of the senders' own."
        yield "[sources.tcp]"
        yield 'kind = "tcp"'
        yield f"listen = {toml_text(choices.listen_tcp)}"
        yield '#tls_certificate = "server.pem"'
        yield '#tls_key = "server.key"'
    if choices.listen_http:
        yield "\n# Pushed over HTTP, as Cloud NSS does. Without TLS others can read the token."
        yield "[sources.push]"
        yield 'kind = "http"'
        yield f"listen = {toml_text(choices.listen_http)}"
        if choices.token_file:
            yield f"token_file = {toml_text(choices.token_file)}"
        yield '#tls_certificate = "server.pem"'
        yield '#tls_key = "server.key"'
    if choices.file:
        yield "\n# A file that grows, followed through its rotation."
        yield "[sources.web]"
        yield 'kind = "file"'
        yield f"path = {toml_text(choices.file)}"


def _feeds(choices: Choices) -> Iterator[str]:
    yield "\n\n# Where records go."
    for name, target in zip(choices.feed_names, choices.targets, strict=True):
        yield f"\n[feeds.{name}]"
        yield "# A preset (nss presets), the path of a .fof file, or format_string in its place."
        yield f"format = {toml_text(choices.format_for(target))}"
        yield "# The zone of the times in a line."
        yield f"zone = {toml_text(choices.zone)}"
        yield "# Only some records:"
        yield '#filter = { not_users = ["*@test.example.com"] }'
        yield f"[feeds.{name}.sink]"
        yield from _sink(target)


def _sink(target: Target) -> Iterator[str]:
    match target.way:
        case "udp":
            yield 'kind = "syslog_udp"'
            yield "# UDP does not report what a busy collector drops: a pace below its limit helps."
            yield f"destinations = [{toml_text(target.place)}]"
            yield "#max_messages_per_sec = 9000"
        case "tcp" | "tls":
            yield 'kind = "syslog_tcp"'
            yield f"destinations = [{toml_text(target.place)}]"
            yield f"tls = {toml_text(target.way == 'tls')}"
            yield "# Without this, the authorities of the system."
            yield '#tls_ca = "collectors-ca.pem"'
        case "file":
            yield 'kind = "file"'
            yield f"path = {toml_text(target.place)}"
            yield "# At this size the file becomes .1, .1 becomes .2 and so on."
            yield '#rotate_bytes = "1GiB"'
        case "kafka":
            broker, _, topic = target.place.rpartition("/")
            yield 'kind = "kafka"'
            yield "# Some brokers to begin with, and the topic, which must exist."
            yield f"brokers = [{toml_text(broker)}]"
            yield f"topic = {toml_text(topic)}"
            yield "# man nss.toml has TLS, the sign-in, keys and packing."
            yield "#tls = true"
        case "mcas":
            yield "# Uploaded with the credentials of sudo nss configure-mcas2."
            yield 'kind = "cloud_discovery"'
            yield "# A file is uploaded when it is this old, or full; nss upload-now does not wait."
            yield "#max_secs = 300"
            yield "#gzip = true"
