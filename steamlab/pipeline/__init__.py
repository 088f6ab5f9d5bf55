"""The processor on Kafka: both stages, each in a process of its own, exactly once.

`places` names the topics and the clients' settings; `logs` reads state back; `transactions` writes
output, state and offsets together; `stage` is what the two have in common, `first` and `second` are
they; `worker` is their process, and `supervisor` starts it again after a crash.
"""
