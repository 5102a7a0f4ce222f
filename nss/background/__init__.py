"""The service as a background process, on a machine without systemd.

`nss start` starts a supervisor, which holds a lock for its whole life, runs the service as its
child, keeps its log, restarts it when it has failed, and is its watchdog. It speaks the same
protocol to the service as systemd does (see `nss.admin.systemd`), and follows the same rules as the
unit.

    nss.background.lock          who runs, as the kernel knows it
    nss.background.supervisor    the process itself: python -m nss.background.supervisor
    nss.background.process       how commands start, stop and find it
"""
