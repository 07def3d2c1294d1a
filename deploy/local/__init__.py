"""Runs the whole system on one machine, for the demo, for `make run`, for tests and for benchmarks.

environment   makes the virtual environment (standard library only)
processes     starts, stops and kills one child process, and reads its log
servers       finds or starts MongoDB
broker        starts Apache Kafka or the embedded broker; kafka_jars fetches Apache Kafka through Maven
stack         starts servers, topics, keys and the four services together
supervision   restarts a server or a service that has ended
seed          loads frameworks, courses and officers over HTTP
demo · run    the work of `make demo` and of `make run`; __main__ is the command line
"""
