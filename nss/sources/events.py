"""What happens in sources, one function an event: the log line and its counter."""

import logging

from nss.telemetry.events import count, emit


def source_waits(source: str, why: str) -> None:
    """Tell that a source can't read now and tries again."""
    emit(
        logging.WARNING,
        "source_waits",
        source,
        "The source can't read now; it tries again.",
        why=why,
    )
    count("source_waits", source)


def source_recovered(source: str) -> None:
    """Tell that a source that waited reads again."""
    emit(logging.INFO, "source_recovered", source, "The source reads again.")
    count("source_recoveries", source)


def file_opened(source: str, path: str, offset: int) -> None:
    """Tell which file is read, and from where in it."""
    emit(logging.INFO, "file_opened", source, "A file is read.", path=path, offset=offset)
    count("source_files", source)


def file_truncated(source: str, path: str) -> None:
    """Tell that a followed file was cut or overwritten where it had been read."""
    emit(
        logging.WARNING,
        "file_truncated",
        source,
        "The file was truncated or overwritten and is read from its start; "
        "what had not been read before is lost.",
        path=path,
    )
    count("source_truncations", source)


def position_lost(source: str, path: str) -> None:
    """Tell that the file read last is nowhere to be found any more."""
    emit(
        logging.WARNING,
        "position_lost",
        source,
        "The file that was read last is gone or is another one now; "
        "reading goes on with the first file after it.",
        path=path,
    )
    count("source_positions_lost", source)


def position_unreadable(source: str, path: str) -> None:
    """Tell that the kept position can't be understood."""
    emit(
        logging.ERROR,
        "position_unreadable",
        source,
        "The kept position can't be understood: the file is read from its start, "
        "and records may come twice.",
        path=path,
    )
    count("source_positions_unreadable", source)


def path_changed(source: str, before: str, path: str) -> None:
    """Tell that the configuration names another file than the one read last."""
    emit(
        logging.INFO,
        "path_changed",
        source,
        "The source has another path now; its file is read from the start.",
        before=before,
        path=path,
    )


def half_record_dropped(source: str, size_bytes: int, why: str) -> None:
    """Tell that the beginning of a record came, and its end never did."""
    emit(
        logging.WARNING,
        "half_record_dropped",
        source,
        "The beginning of a record was dropped, because its end never came.",
        bytes=size_bytes,
        why=why,
    )
    count("source_half_records", source)


def listening(source: str, address: str) -> None:
    """Tell that connections are accepted."""
    emit(logging.INFO, "listening", source, "Connections are accepted.", address=address)


def connection_opened(source: str) -> None:
    """Count a connection."""
    count("source_connections", source)


def connection_refused(source: str, peer: str, max_connections: int) -> None:
    """Tell that a connection was closed at once, because there are too many."""
    emit(
        logging.WARNING,
        "connection_refused",
        source,
        "A connection was closed at once: there are as many as allowed.",
        peer=peer,
        max_connections=max_connections,
    )
    count("source_connections_refused", source)


def connection_idle(source: str, peer: str, idle_secs: float) -> None:
    """Tell that a connection was closed, because nothing came for too long."""
    emit(
        logging.INFO,
        "connection_idle",
        source,
        "A connection was closed: nothing came for too long.",
        peer=peer,
        idle_secs=idle_secs,
    )
    count("source_connections_idle", source)


def connection_failed(source: str, peer: str, why: str) -> None:
    """Tell that the peer or the network broke a connection off."""
    emit(
        logging.WARNING,
        "connection_failed",
        source,
        "A connection was broken off.",
        peer=peer,
        why=why,
    )
    count("source_connections_failed", source)


def handshake_failed(source: str, peer: str, why: str) -> None:
    """Tell that a peer did not get through the TLS handshake."""
    emit(
        logging.WARNING,
        "handshake_failed",
        source,
        "A TLS handshake failed.",
        peer=peer,
        why=why,
    )
    count("source_handshakes_failed", source)


def framing_failed(source: str, peer: str, why: str) -> None:
    """Tell that a connection was closed, because its records can't be told apart."""
    emit(
        logging.ERROR,
        "framing_failed",
        source,
        "A connection was closed: its records can't be told apart any more.",
        peer=peer,
        why=why,
    )
    count("source_framing_failures", source)


def request_accepted(source: str) -> None:
    """Count a request of which every record is accepted."""
    count("source_requests_accepted", source)


def request_refused(source: str, peer: str, status: int, why: str, accepted: int = 0) -> None:
    """Tell that a request was not accepted; `accepted` records of it were, and come twice."""
    emit(
        logging.WARNING,
        "request_refused",
        source,
        "A request was refused.",
        sort=f"{status} {why}",
        peer=peer,
        status=status,
        why=why,
        accepted=accepted,
    )
    count("source_requests_refused", source)
    count(f"source_requests_refused_{status}", source)


def request_broken_off(source: str, peer: str, body_bytes: int, accepted: int) -> None:
    """Tell that a sender was gone in the middle of its request."""
    emit(
        logging.WARNING,
        "request_broken_off",
        source,
        "A sender was gone in the middle of its request.",
        peer=peer,
        body_bytes=body_bytes,
        accepted=accepted,
    )
    count("source_requests_broken_off", source)
