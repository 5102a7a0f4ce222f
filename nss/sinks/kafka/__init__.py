"""Lines as messages of Kafka: the sink of the kind `kafka`."""
