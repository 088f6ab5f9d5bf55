"""The lab profile: where our Kafka differs from Kafka's defaults, and why.

Kafka's defaults are made for clusters that live for years. In a lesson, retention,
compaction and group changes must happen within seconds, on a small computer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["LAB", "LOG4J2", "by_size", "escape", "properties"]

LAB: Mapping[str, object] = {
    # A topic exists because somebody made it, not because somebody mistyped it. Default: true.
    "auto.create.topics.enable": "false",
    # Retention and compaction look every second. Defaults: 5 min, after 30 s, 15 s.
    "log.retention.check.interval.ms": 1000,
    "log.initial.task.delay.ms": 1000,
    "log.cleaner.backoff.ms": 1000,
    # A group's first member need not wait for more. Default: 3 s.
    "group.initial.rebalance.delay.ms": 0,
    # Members are noticed, and missed, within seconds. Defaults: 5 s, 45 s, 1 s.
    "group.consumer.heartbeat.interval.ms": 500,
    "group.consumer.min.heartbeat.interval.ms": 500,
    "group.consumer.session.timeout.ms": 6000,
    "group.consumer.min.session.timeout.ms": 3000,
    "group.consumer.assignment.interval.ms": 0,
    "group.share.heartbeat.interval.ms": 500,
    "group.share.min.heartbeat.interval.ms": 500,
    "group.share.session.timeout.ms": 6000,
    "group.share.min.session.timeout.ms": 3000,
    "group.share.assignment.interval.ms": 0,
    # The same for the classic protocol, where clients choose. Default: 6 s.
    "group.min.session.timeout.ms": 3000,
    # Records of a share group may be handed out again after 1 s. Default: 15 s.
    "group.share.min.record.lock.duration.ms": 1000,
    # Idle groups are looked at every second. Default: 10 min.
    "offsets.retention.check.interval.ms": 1000,
    # A transaction that its producer left open ends soon after its timeout. Default: 10 s.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    # A follower that is 10 s behind leaves the in-sync replicas. Default: 30 s.
    "replica.lag.time.max.ms": 10000,
    # Kafka's own topics: few partitions, or a start takes long. Default: 50 each.
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.num.partitions": 3,
    # A small computer: default 128 MiB, 3 and 8 threads.
    "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 2,
}

LOG4J2 = """\
status=error
appender.c.type=Console
appender.c.name=OUT
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.c.ref=OUT
logger.cfg.name=org.apache.kafka.common.config.AbstractConfig
logger.cfg.level=warn
"""


def by_size(brokers: int) -> dict[str, object]:
    """Return the settings that follow from the number of brokers.

    One: a single copy of everything. Three: three copies, two of which must be in sync, so
    that one broker may die and writes go on.
    """
    copies, in_sync = min(3, brokers), 2 if brokers >= 3 else 1
    alone = brokers == 1
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        # How soon a dead broker is missed; a killed one comes back no sooner. Default: 9 s, 2 s.
        # With three, too short a time moves leaders about whenever the computer is busy.
        "broker.session.timeout.ms": 3000 if alone else 6000,
        "broker.heartbeat.interval.ms": 500 if alone else 1000,
    }


def properties(
    node: int,
    ports: Sequence[int],
    controller_ports: Sequence[int],
    extra: Mapping[str, object],
) -> str:
    """Return one node's server.properties: broker and controller in one, on 127.0.0.1 only.

    `ports` and `controller_ports` belong to the nodes 1, 2, 3; `extra` wins over the profile.
    """
    port, controller_port = ports[node - 1], controller_ports[node - 1]
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node,
        "broker.rack": f"rack-{node}",
        "controller.quorum.bootstrap.servers": ",".join(
            f"127.0.0.1:{number}" for number in controller_ports
        ),
        # Never "localhost": on some systems that is ::1, where nobody listens.
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        # Relative: each node runs in its own folder, whose name may hold any character.
        "log.dirs": "data",
        **by_size(len(ports)),
        **LAB,
        **extra,
    }
    return "".join(f"{name}={escape(value)}\n" for name, value in settings.items())


def escape(value: object) -> str:
    r"""Return a value as java.util.Properties reads it: ASCII, `\\` and `\uXXXX`."""
    units = str(value).replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    codes = [units[at] << 8 | units[at + 1] for at in range(0, len(units), 2)]
    return "".join(chr(code) if 32 < code < 127 else f"\\u{code:04x}" for code in codes)
