/** An officer's live stream: EventSource reconnects after a lost connection; after an error response this module does. */

import type { Recommended } from './api';

const LOST_AFTER_MS = 1500; // a stream that moves to another server is back before this
const LONGEST_WAIT_MS = 30_000;

export type Connection = 'opening' | 'open' | 'lost';

interface Listener {
  path(recommended: Recommended): void;
  status(status: 'waiting' | 'unavailable'): void;
  erased(): void;
  connection(connection: Connection): void;
  /** Awaited before each new attempt after an answer other than 200; `false` stops the attempts. */
  refused(): Promise<boolean>;
}

/** Follow an officer's paths. Return a function that ends it. */
export function follow(officer: string, on: Listener): () => void {
  let source: EventSource;
  let attempt = 0;
  let ended = false;
  let lostTimer: number | undefined;
  let retryTimer: number | undefined;

  const lost = () => {
    lostTimer ??= window.setTimeout(() => on.connection('lost'), LOST_AFTER_MS);
  };
  const found = () => {
    window.clearTimeout(lostTimer);
    lostTimer = undefined;
    attempt = 0;
    on.connection('open');
  };

  async function retry() {
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** attempt) * (0.5 + Math.random() / 2);
    attempt += 1;
    if ((await on.refused()) && !ended) retryTimer = window.setTimeout(open, wait);
  }

  function open() {
    const opened = new EventSource(`/v1/officers/${encodeURIComponent(officer)}/live?lang=th,en`);
    const data = (event: Event) => JSON.parse((event as MessageEvent<string>).data) as unknown;
    opened.addEventListener('open', found);
    opened.addEventListener('path', (event) => on.path(data(event) as Recommended));
    opened.addEventListener('status', (event) =>
      on.status((data(event) as { status: 'waiting' | 'unavailable' }).status),
    );
    opened.addEventListener('erased', () => {
      stop(); // nothing more comes: the server ends the stream
      on.erased();
    });
    opened.addEventListener('error', () => {
      if (ended) return;
      lost();
      if (opened.readyState === EventSource.CLOSED) void retry();
    });
    source = opened;
  }

  const offline = () => on.connection('lost');
  const online = () => {
    window.clearTimeout(retryTimer);
    source.close();
    open();
  };
  window.addEventListener('offline', offline);
  window.addEventListener('online', online);
  const stop = () => {
    ended = true;
    window.clearTimeout(lostTimer);
    window.clearTimeout(retryTimer);
    window.removeEventListener('offline', offline);
    window.removeEventListener('online', online);
    source.close();
  };
  open();
  return stop;
}
