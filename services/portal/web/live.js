/** An officer's live stream: EventSource reconnects after a lost connection; after an error response this module does. */

const LOST_AFTER = 1500; // ms: a stream that moves to another server is back before this
const LONGEST_WAIT = 30000; // ms

/**
 * Follow an officer's paths. `on.path(recommended)`, `on.status('waiting' | 'unavailable')`, `on.erased()`,
 * `on.connection('open' | 'lost')`;
 * `on.refused()` is awaited before each new attempt after an answer other than 200, and stops the attempts by `false`.
 * Returns a function that ends it.
 */
export function follow(officer, on) {
  let source;
  let attempt = 0;
  let ended = false;
  let lostTimer;
  let retryTimer;

  const lost = () => {
    lostTimer ??= setTimeout(() => on.connection('lost'), LOST_AFTER);
  };
  const found = () => {
    clearTimeout(lostTimer);
    lostTimer = undefined;
    attempt = 0;
    on.connection('open');
  };

  const retry = async () => {
    const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** attempt) * (0.5 + Math.random() / 2);
    attempt += 1;
    if ((await on.refused()) === false || ended) return;
    retryTimer = setTimeout(open, wait);
  };

  function open() {
    source?.close();
    source = new EventSource(`/v1/officers/${encodeURIComponent(officer)}/live?lang=th,en`);
    source.addEventListener('open', found);
    source.addEventListener('path', (event) => on.path(JSON.parse(event.data)));
    source.addEventListener('status', (event) => on.status(JSON.parse(event.data).status));
    source.addEventListener('erased', () => {
      source.close(); // nothing more comes: the server ends the stream
      on.erased();
    });
    source.addEventListener('error', () => {
      if (ended) return;
      lost();
      if (source.readyState === EventSource.CLOSED) retry();
    });
  }

  const offline = () => on.connection('lost');
  const online = () => {
    clearTimeout(retryTimer);
    open();
  };
  window.addEventListener('offline', offline);
  window.addEventListener('online', online);
  open();
  return () => {
    ended = true;
    clearTimeout(lostTimer);
    clearTimeout(retryTimer);
    window.removeEventListener('offline', offline);
    window.removeEventListener('online', online);
    source.close();
  };
}
