"""Apache Kafka on this machine, without Docker: its jars, one broker process, and how to tell that it is ready."""

from deploy.local.kafka.jars import KafkaUnavailable, cached_jars, java, resolve_jars
from deploy.local.kafka.readiness import is_ready
from deploy.local.kafka.server import KafkaServer

__all__ = ["KafkaServer", "KafkaUnavailable", "cached_jars", "is_ready", "java", "resolve_jars"]
