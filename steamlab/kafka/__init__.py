"""A real Kafka on this computer: its Java and jars, its nodes, whole clusters."""
