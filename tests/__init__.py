"""The rule book of Aftercare: what the platform promises, on real PostgreSQL and real Kafka."""
