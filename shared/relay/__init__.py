"""The relay: sends the events staged in the documents of one collection to one topic.

One relay per service is active at a time: it holds a lease document (server time, majority), and checks a local
monotonic deadline right before each send. A write in the relay's own process wakes it at once; a change stream reports
the writes of other processes, and a timer catches what both miss. A store may hand over an event that it has stored, if
no other event waits in the same document; the relay sends it from memory and reads all other events from the documents.
So the events of one document are sent in sequence order. The relay waits for the acknowledgements and removes
acknowledged events; those that it sent from memory after a moment, several by one write, and always before it reads
documents. A send without an answer has an unknown outcome and is repeated. Readers of a state topic drop duplicates
by `sequence`.

The events of an import are sent slowly while it runs, because the import and the relay share a process and a database.
The change stream is closed during an import, and while a backlog is sent.

The lease holder also reads its own topic back, from an offset stored in the lease document. A record may have been
written after a newer one of the same document (a paused relay that resumed, a delayed send), or with a stamp below an
earlier record's. Readers drop such a record, and in the compacted topic it would remain the last one of its key, so the
relay stages the current state again. If the topic was deleted and created again, or is shorter than what was read back
or sent (a broker restored from an older copy), everything is staged again.
"""

from shared.relay.relay import Relay

__all__ = ["Relay"]
