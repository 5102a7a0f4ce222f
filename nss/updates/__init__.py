"""Updates of the package: from our repository alone, and back by themselves if they don't work.

    planning      what an update needs of the configuration, checked and copied for root alone
    plan          the same as a file, which the engine works from
    apt, refusals     apt with a configuration of its own; what its errors mean
    packages      dpkg, and the package of what is installed, made again
    spool         the spool's file kept beside, and put back
    service       stop, start, and whether records flow
    units         what starts the engine, now and after a power cut
    journal       how far an update is, for who comes after a power cut, and for nss status
    engine        the steps

All but `planning` need nothing but Python and `nss.errors`: an update runs from a copy of them, as
the files of the package are exchanged below it.
"""
