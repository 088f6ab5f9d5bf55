"""Every error of the package: one sentence that says what is wrong, and a repair.

LabError
├── SetupError      something on this computer is missing or in the way
│   ├── JarError    Kafka's jars could not be fetched, read or verified
│   └── JavaError   no Java that can run Kafka
├── BrokerError     Kafka did not start, stop or answer as it should
├── TopicError      a topic is missing, or is not what was asked for
├── DeadlineError   something did not happen in time
└── LessonError     a lesson was asked for something that it cannot do
"""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "DeadlineError",
    "JarError",
    "JavaError",
    "LabError",
    "LessonError",
    "SetupError",
    "TopicError",
]


class LabError(Exception):
    """An error for people: what was expected and seen, then what to do next.

    `repair` is the second sentence, usually with the command to run.
    """

    def __init__(self, sentence: str, *, repair: str) -> None:
        super().__init__(f"{sentence} {repair}")
        self.sentence = sentence
        self.repair = repair


class SetupError(LabError):
    """Something on this computer is missing or in the way."""


class JarError(SetupError):
    """Kafka's jars could not be fetched, read or verified."""


class JavaError(SetupError):
    """There is no Java that can run Kafka."""


class BrokerError(LabError):
    """Kafka did not start, stop or answer as it should."""


class TopicError(LabError):
    """A topic is missing, or is not what was asked for."""


class DeadlineError(LabError):
    """Something did not happen in time."""


class LessonError(LabError):
    """A lesson was asked for something that it cannot do."""
