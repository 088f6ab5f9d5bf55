"""Plans into Kafka: pace, controls, delivery reports, and the verb `simulate`."""
