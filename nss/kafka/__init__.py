"""What sources and sinks of Kafka share: librdkafka, its settings, its errors in plain words."""
