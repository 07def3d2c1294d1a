"""The whole system on one machine, for the demo, for `make run`, for tests and for benchmarks.

environment   the virtual environment (standard library only)
processes     one child process: start, stop, kill, log
servers       MongoDB: found, started, restarted in place
broker        Apache Kafka or the embedded broker; kafka_jars fetches Apache Kafka through Maven
stack         servers, topics, keys and the four services together
supervision   starts again what has ended
seed          frameworks, courses and officers, over HTTP
demo · run    what `make demo` and `make run` do; __main__ is the command line
"""
