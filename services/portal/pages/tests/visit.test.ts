import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Recommended } from '../src/api';

/** The stream of an officer's page, as the portal would send it. */
class Stream {
  static opened: Stream[] = [];
  static readonly CLOSED = 2;
  readyState = 1;
  private readonly listeners = new Map<string, ((event: { data: string }) => void)[]>();

  constructor(readonly url: string) {
    Stream.opened.push(this);
  }

  addEventListener(name: string, listener: (event: { data: string }) => void): void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  send(name: string, data: unknown = {}): void {
    for (const listener of this.listeners.get(name) ?? []) listener({ data: JSON.stringify(data) });
  }

  close(): void {
    this.readyState = Stream.CLOSED;
  }
}

const answers = new Map<string, [status: number, body: unknown]>();
const requests: string[] = [];
let gate = Promise.resolve();
const answer = async (input: Request | string): Promise<Response> => {
  const { method, url } = input as Request;
  const { pathname } = new URL(url);
  requests.push(`${method} ${pathname}`);
  const [status, body] = answers.get(`${method} ${pathname}`) ?? [404, { detail: 'nothing here' }];
  await gate;
  return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }));
};

/** Do something whose requests are answered only once the function that is returned is called, which waits for all of it. */
function late(work: () => Promise<void>): () => Promise<void> {
  let open: () => void = () => undefined;
  gate = new Promise((resolve) => {
    open = resolve;
  });
  const done = work();
  gate = Promise.resolve();
  return () => {
    open();
    return done;
  };
}

const location = { origin: 'http://127.0.0.1', hash: '' };
vi.stubGlobal('window', { location, addEventListener: () => undefined, removeEventListener: () => undefined, setTimeout, clearTimeout });
vi.stubGlobal('EventSource', Stream);
vi.stubGlobal('fetch', answer);
vi.stubGlobal('document', { getElementById: () => null });

let of: typeof import('../src/officer/visit');
let shell: typeof import('../src/shell');
let visit: import('../src/officer/visit').Visit;

const path = (revision: number, cause: Recommended['cause'], courses: string[] = ['a']): Recommended =>
  ({
    ...{ revision, cause, planned_at: '2026-11-26T09:00:00Z' },
    path: {
      ...{ framework: 'f', versions: { framework: 1, profile: 1, feedback: 0 }, hours: courses.length, gaps: [], open: [] },
      ...{ coverage: { before: 0, after: 1, gained: 1 }, steps: courses.map((id) => ({ course: { id, title: { en: id }, hours: 1 } })) },
    },
  }) as unknown as Recommended;

const stream = (): Stream => {
  const found = Stream.opened.at(-1);
  if (!found) throw new Error('no stream was opened');
  return found;
};
const shown = () => visit.recommended.value?.revision;

beforeAll(async () => {
  of = await import('../src/officer/visit');
  shell = await import('../src/shell');
});

beforeEach(() => {
  Stream.opened = [];
  answers.clear();
  requests.length = 0;
  visit = new of.Visit('o-1', 'officer');
  of.current.value = visit;
  visit.open();
});

afterEach(() => visit.close());

describe('a path on an officer’s page', () => {
  it('is shown at once if no other path is shown', () => {
    expect(shell.shown.value.screen).toBe('loading');
    stream().send('path', path(3, 'assessment'));
    expect([shown(), shell.shown.value.screen, visit.change.value]).toEqual([3, 'path', undefined]);
  });

  it('is announced with its changes while another is shown, and is shown on request', () => {
    stream().send('path', path(1, 'officer', ['a', 'b']));
    stream().send('path', path(2, 'catalog', ['b', 'c']));
    expect([shown(), visit.waiting.value?.revision]).toEqual([1, 2]);
    expect(visit.change.value?.difference).toMatchObject({ added: [{ id: 'c' }], removed: [{ id: 'a' }] });
    visit.showWaiting();
    expect([shown(), visit.waiting.value]).toEqual([2, undefined]);
  });

  it('is shown at once, and only once, if it was requested here', () => {
    stream().send('path', path(1, 'officer'));
    visit.expect('assessment', visit.revision);
    stream().send('path', path(2, 'assessment'));
    expect(shown()).toBe(2);
    stream().send('path', path(3, 'assessment'));
    expect([shown(), visit.waiting.value?.revision]).toEqual([2, 3]);
  });

  it('is shown at once if it came before the answer to the request', () => {
    stream().send('path', path(1, 'officer'));
    stream().send('path', path(2, 'assessment'));
    visit.expect('assessment', 2); // the one that is announced was there before the request
    expect([shown(), visit.waiting.value?.revision]).toEqual([1, 2]);
    visit.expect('assessment', 1);
    expect([shown(), visit.waiting.value]).toEqual([2, undefined]);
    expect(visit.change.value?.cause).toBe('assessment');
  });

  it('is never replaced by an older one', () => {
    stream().send('path', path(5, 'officer'));
    stream().send('path', path(7, 'catalog'));
    for (const older of [6, 7, 5]) stream().send('path', path(older, 'feedback'));
    expect([shown(), visit.waiting.value?.revision]).toEqual([5, 7]);
  });

  it('is dropped once the officer is erased; a later path is announced as new', () => {
    stream().send('path', path(1, 'officer'));
    stream().send('erased');
    expect([shown(), shell.shown.value.screen]).toEqual([undefined, 'erased']);
    stream().send('path', path(2, 'officer'));
    expect([shown(), shell.shown.value.screen, visit.change.value?.difference]).toEqual([2, 'path', undefined]);
  });

  it('is dropped with all other data once the officer is erased, also if it was only announced', async () => {
    answers.set('GET /api/v1/officers/o-1', [200, { sequence: 1 }]);
    answers.set('GET /api/v1/officers/o-1/feedback', [200, { feedback_sequence: 1, statements: [] }]);
    await visit.reload();
    stream().send('path', path(1, 'officer'));
    stream().send('path', path(2, 'catalog', ['b']));
    stream().send('erased');
    visit.showWaiting();
    expect([shown(), visit.waiting.value, visit.change.value, shell.shown.value.screen]).toEqual([undefined, undefined, undefined, 'erased']);
    expect([visit.profile.value, visit.feedback.value]).toEqual([undefined, undefined]);
  });

  it('is announced while another is shown, after a request that was refused or changed nothing', async () => {
    answers.set('GET /api/v1/officers/o-1', [200, { sequence: 1 }]);
    stream().send('path', path(1, 'officer'));
    await vi.waitFor(async () => {
      await visit.reload();
      expect(visit.profile.value?.sequence).toBe(1);
    });
    answers.set('PUT /api/v1/officers/o-1', [200, { changed: false }]);
    await visit.saveTime(4, null);
    answers.set('PUT /api/v1/officers/o-1', [422, { detail: 'no' }]);
    await expect(visit.saveTime(4, null)).rejects.toMatchObject({ status: 422 });
    answers.set('POST /api/v1/officers/o-1/feedback', [409, { detail: 'no' }]);
    await visit.giveFeedback({ id: 'a', title: { en: 'A' } }, 'pin');
    stream().send('path', path(2, 'officer', ['b']));
    expect([shown(), visit.waiting.value?.revision]).toEqual([1, 2]);
    stream().send('path', path(3, 'feedback', ['c']));
    expect([shown(), visit.waiting.value?.revision]).toEqual([1, 3]);
  });

  it('stays while the service does not answer', () => {
    stream().send('status', { status: 'unavailable' });
    expect(shell.shown.value.screen).toBe('failed');
    stream().send('path', path(1, 'officer'));
    stream().send('status', { status: 'unavailable' });
    expect([shown(), shell.shown.value.screen]).toEqual([1, 'path']);
  });
});

describe('alternatives', () => {
  const READ = 'GET /api/v1/officers/o-1/path';
  const named = (id: string) => ({ ...path(1, 'officer').path, steps: [{ course: { id: 'a' }, alternatives: [{ course: { id } }] }] });
  const held = () => visit.alternatives.value.get('a')?.map((one) => one.id);

  it('are fetched once for each path, and again after a failure', async () => {
    stream().send('path', path(1, 'officer'));
    answers.set(READ, [503, { detail: 'busy' }]);
    await visit.askAlternatives();
    answers.set(READ, [200, { path: named('b') }]);
    await visit.askAlternatives();
    await visit.askAlternatives();
    expect([held(), requests.filter((one) => one === READ)]).toEqual([['b'], [READ, READ]]);
  });

  it('of an earlier path are not shown for a new one, even if its own cannot be fetched', async () => {
    stream().send('path', path(1, 'officer'));
    answers.set(READ, [200, { path: named('b') }]);
    await visit.askAlternatives();
    answers.set(READ, [503, { detail: 'busy' }]);
    visit.expect('feedback', 1);
    stream().send('path', path(2, 'feedback'));
    expect(held()).toBeUndefined();
    await visit.askAlternatives();
    expect(held()).toBeUndefined();
  });

  it('belong to the shown path, in any order of the answers', async () => {
    stream().send('path', path(1, 'officer'));
    answers.set(READ, [200, { path: named('old') }]);
    const first = late(() => visit.askAlternatives());
    visit.expect('feedback', 1);
    answers.set(READ, [200, { path: named('new') }]);
    stream().send('path', path(2, 'feedback')); // what somebody looks at is fetched for it too
    await vi.waitFor(() => expect(held()).toEqual(['new']));
    await first();
    expect(held()).toEqual(['new']);
  });
});

describe('feedback', () => {
  const FEEDBACK = 'POST /api/v1/officers/o-1/feedback';
  const HELD = 'GET /api/v1/officers/o-1/feedback';
  const course = { id: 'a', title: { en: 'A' } };

  it('is reported as sent with the revision that it leads to', async () => {
    answers.set(FEEDBACK, [200, { stale: false, revision: 4 }]);
    answers.set(HELD, [200, { feedback_sequence: 1, statements: [] }]);
    await visit.giveFeedback(course, 'started');
    expect(visit.lastFeedback.value).toMatchObject({ action: 'started', taken: { revision: 4 } });
    expect(visit.isBusy('feedback')).toBe(false);
  });

  it('is recognised as stored if only its answer was lost', async () => {
    answers.set(FEEDBACK, [503, { detail: 'busy' }]);
    answers.set(HELD, [200, { feedback_sequence: 1, statements: [{ course: 'a', action: 'started', sequence: 1, at: '' }] }]);
    await visit.giveFeedback(course, 'started');
    expect(visit.lastFeedback.value).toMatchObject({ taken: { stale: false } });
    expect(visit.lastFeedback.value).not.toHaveProperty('error');
  });

  it('is reported as refused if it was not stored', async () => {
    answers.set(FEEDBACK, [409, { detail: 'no' }]);
    answers.set(HELD, [200, { feedback_sequence: 0, statements: [] }]);
    await visit.giveFeedback(course, 'pin');
    expect(visit.lastFeedback.value?.error?.status).toBe(409);
  });

  it('is not sent twice at the same time', async () => {
    answers.set(FEEDBACK, [200, { stale: false, revision: 1 }]);
    await Promise.all([visit.giveFeedback(course, 'pin'), visit.giveFeedback(course, 'pin')]);
    expect(requests.filter((one) => one === FEEDBACK)).toHaveLength(1);
  });
});
