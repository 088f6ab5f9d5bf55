"""The sixteen metrics from the live stream: facts, additive cells, and their sums.

In the order in which to read them: `families` names the cells and says when they are final, `facts`
what a few sorted facts contribute to them. `first_stage` makes partial cells of one input
partition's events: `messages` and `intake` let each event in once, `batch` turns rows into columns,
`pairs`, `recent` and `users` keep facts, `cells` sums, `changelog` writes state down.
`second_stage` makes records of all partitions' cells: `sums` adds them up, `histogram` finds a
median among very many, `clocks` says what is final, and `finals` what was before a restart,
`published` and `rankings` what is made of them, `records` how it is spelled, `chapters` how the
work is shared out. Nothing here knows Kafka: `steamlab.pipeline` runs it.
"""
