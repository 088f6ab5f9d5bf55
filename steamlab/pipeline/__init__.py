"""The processor on Kafka: both stages, each in a process of its own, exactly once.

`places` names the topics and the clients' settings; `logs` reads state back; `transactions` writes
output, state and offsets together; `first` and `second` run the stages; `worker` is their process,
`supervisor` starts it again after a crash.
"""
