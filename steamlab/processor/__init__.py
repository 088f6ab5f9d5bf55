"""The sixteen metrics from the live stream: facts, additive cells, and their sums.

`families` names the cells and says when they are final; `facts` what a few sorted facts contribute
to them; `first_stage` makes partial cells of one input partition's events; `second_stage` makes
records of all partitions' cells. Nothing here knows Kafka.
"""
