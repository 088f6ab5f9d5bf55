"""The processor on Kafka: both stages, each in a process of its own, exactly once.

`places` names the topics and the clients' settings; `logs` reads state back; `transactions` writes
output, state and offsets together; `stage` is what the two have in common, `first` and `second` are
they, with a `task` for each input partition, and `partials` between them; `past` is what the second
finds when it starts. `worker` is their process, `supervisor` starts it again after a crash.
`progress`, `counts` and `published` tell how far it is, what became of the events, and the records.
"""
