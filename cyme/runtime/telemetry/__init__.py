"""What one branch a broker collects for all: what workers tell of tasks, what waits in queues."""
