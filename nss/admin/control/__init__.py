"""The control socket: HTTP over a unix socket, between the running service and its operator.

    GET  /status                                                  -> Status
    POST /reload                                                  -> Reloaded
    GET  /replay?feed=NAME&since=SECS&until=SECS                  -> how many there would be
    POST /replay?feed=NAME&since=SECS&until=SECS                  -> number of records
    GET  /rejects[?feed=NAME][&limit=N]                           -> list of KeptReject
    GET  /rejects/reasons[?feed=NAME]                             -> list of ReasonCount
    POST /rejects/retry[?feed=NAME][&within_secs=SECS]            -> RetriedRejects
    POST /rejects/discard?upto=NUMBER[&feed=NAME][&reason=TEXT]   -> number of records
    POST /uploads/now[?feed=NAME&feed=NAME..]                     -> list of UploadedNow
    POST /portal/link?role=admin|viewer                           -> URL that signs in once
    POST /uploads/resume                                          -> names of feeds that were held
    GET  /tap[?feed=NAME][&kind=lines|records][&text=...][&max_per_sec=N]
                                                                  -> Seen, one JSON a line
    GET  /messages?source=NAME[&text=...][&max_per_sec=N]         -> SeenMessage, one JSON a line

Answers are JSON as msgspec writes the types named, bytes as base64; times are seconds since the
epoch. What goes wrong is answered with a `Fault` and a status of 400 or above. Root and the
service's own user may ask for everything; the others who may open the socket file, those of the
service's group (mode 0660), for the status. A header names the person who asks, as %HH of UTF-8;
without it that is the user at the other end of the socket.
"""

PERSON_HEADER = "x-nss-person"
