"""Plumbing for a course that teaches Apache Kafka by running a game store."""

__version__ = "0.1.0"
