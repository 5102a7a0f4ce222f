"""Records from topics of Kafka, shared with the other instances of a consumer group.

`source` is the event loop's side, `consuming` the one thread that talks to librdkafka; `offsets`
knows what was taken, accepted, passed and committed, `messages` makes batches of messages.
"""
