"""Everything that puts the services on a machine: images, topics, starter data and the local stack."""
