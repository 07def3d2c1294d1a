import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../src/api';

const answers = new Map<string, [status: number, body: unknown]>();
const answer = (input: Request | string): Promise<Response> => {
  const { method, url } = input as Request;
  const found = answers.get(`${method} ${new URL(url).pathname}`);
  if (!found) return Promise.reject(new TypeError('unreachable'));
  const [status, body] = found;
  return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }));
};

vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
const reload = vi.fn();
const location = { origin: 'http://127.0.0.1', hostname: '127.0.0.1', hash: '', reload };
const history = {
  state: null as unknown,
  replaceState: (state: unknown) => {
    history.state = state;
  },
};
vi.stubGlobal('window', { location, history, setTimeout, clearTimeout, addEventListener: () => undefined });
vi.stubGlobal('fetch', answer);
vi.stubGlobal('document', { getElementById: () => null });

let shell: typeof import('../src/shell');
let api: typeof import('../src/api');
let app: typeof import('../src/app');

const officer: Session = { tenant: 't', role: 'officer', officer: 'o-1', agency: null, person: 'p-1' };
const other: Session = { ...officer, officer: 'o-2' };
const START = 'GET /session/start';
const signedIn = (session: Session | null) => answers.set(START, [200, { openid: false, session }]);
const state = () => [shell.session.value?.officer, shell.lapsed.value, shell.shown.value.screen, shell.signInComplaint.value];

beforeAll(async () => {
  shell = await import('../src/shell');
  api = await import('../src/api');
  app = await import('../src/app');
});

beforeEach(async () => {
  answers.clear();
  Object.assign(location, { hostname: '127.0.0.1', hash: '' });
  signedIn(null);
  await shell.start();
  shell.enter(officer);
  shell.show('path');
});

describe('a session that ends', () => {
  it('keeps the page, and shows the sign-in', async () => {
    answers.set('GET /api/v1/officers/o-1/feedback', [401, { detail: 'the API key is unknown, expired or revoked' }]);
    await expect(api.readFeedback('o-1')).rejects.toMatchObject({ status: 401 });
    expect(state()).toEqual(['o-1', true, 'path', 'sessionOver']);
    shell.enter({ ...officer });
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
  });

  it('keeps the place on the page for the same person only', () => {
    history.state = { top: 900 };
    shell.lapse();
    shell.enter({ ...officer });
    expect(history.state).toEqual({ top: 900 });
    shell.lapse();
    shell.enter(other);
    expect(history.state).toBeNull();
  });

  it('reports that another person has signed in', async () => {
    shell.lapse();
    signedIn(other);
    await shell.checkSession();
    expect(state()).toEqual(['o-1', true, 'path', 'sessionOther']);
  });

  it('does not hide that the officer was erased, in either order of the two events', async () => {
    shell.erased();
    signedIn(null);
    await shell.checkSession();
    expect(state()).toEqual(['o-1', false, 'erased', undefined]);
    signedIn(other);
    await shell.checkSession();
    expect(state()).toEqual(['o-1', true, 'erased', 'sessionOther']);
    shell.enter(officer);
    shell.show('path');
    shell.lapse();
    shell.erased();
    expect(state()).toEqual(['o-1', false, 'erased', undefined]);
  });

  it('forgets the page once another person signs in', () => {
    shell.lapse();
    shell.enter(other);
    expect(state()).toEqual(['o-2', false, 'loading', undefined]);
  });

  it('forgets the page once another person of the same role signs in', async () => {
    const editor: Session = { ...officer, role: 'editor', officer: null };
    const colleague: Session = { ...editor, person: 'p-2' };
    shell.enter(editor);
    shell.show('path');
    shell.lapse();
    shell.enter({ ...editor });
    expect(shell.shown.value.screen).toBe('path');
    signedIn(colleague);
    await shell.checkSession();
    expect(state().slice(1)).toEqual([true, 'path', 'sessionOther']);
    shell.enter(colleague);
    expect(state().slice(1)).toEqual([false, 'loading', undefined]);
    expect(shell.session.value).toEqual(colleague);
  });

  it('keeps the page of an officer who signs in with another key', () => {
    shell.lapse();
    shell.enter({ ...officer, person: 'p-2' });
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
  });

  it('forgets the page after a quarter of an hour', () => {
    shell.lapse();
    vi.advanceTimersByTime(15 * 60_000 - 1);
    expect(shell.session.value).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(state()).toEqual([undefined, false, 'signIn', 'sessionOver']);
  });

  it('does not lose the page while the person continues', () => {
    shell.lapse();
    shell.enter({ ...officer });
    vi.advanceTimersByTime(60 * 60_000);
    expect(shell.session.value).toBeDefined();
  });

  it('drops the page at once when the person signs out', async () => {
    answers.set('DELETE /session', [200, null]);
    await shell.signOut();
    expect(state()).toEqual([undefined, false, 'signIn', undefined]);
  });

  it('is distinguished from an invalid key', async () => {
    answers.set('POST /session', [401, {}]);
    await expect(api.signIn('no.key')).rejects.toMatchObject({ status: 401 });
    expect(shell.lapsed.value).toBe(false);
  });
});

describe('a page that is looked at again', () => {
  it('continues if the person is still signed in', async () => {
    signedIn({ ...officer });
    await shell.checkSession();
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
  });

  it('shows the sign-in if the session has ended, and continues if it was renewed in another tab', async () => {
    signedIn(null);
    await shell.checkSession();
    expect(state()).toEqual(['o-1', true, 'path', 'sessionOver']);
    signedIn({ ...officer });
    await shell.checkSession();
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
  });

  it('never shows the page of one person to the session of another', async () => {
    signedIn(other);
    await shell.checkSession();
    expect(state()).toEqual(['o-1', true, 'path', 'sessionOther']);
  });

  it('stays open while it is unknown who is signed in', async () => {
    answers.set(START, [503, {}]);
    await shell.checkSession();
    answers.clear();
    await shell.checkSession();
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
  });
});

describe('a page that is opened after a session has ended', () => {
  it('shows the page of the person who is signed in now, without a message about the end', async () => {
    shell.lapse();
    signedIn({ ...officer });
    await shell.start();
    expect(state()).toEqual(['o-1', false, 'loading', undefined]);
    vi.advanceTimersByTime(60 * 60_000);
    expect(shell.session.value).toBeDefined();
  });
});

describe('a link that signs in', () => {
  it.each([[officer], [other]])('shows the page of its person from the start, also after a session has ended', async (person) => {
    shell.lapse();
    answers.set('POST /session', [200, person]);
    await app.enterByLink('the.key');
    expect(state()).toEqual([person.officer, false, 'loading', undefined]);
    vi.advanceTimersByTime(60 * 60_000);
    expect(shell.session.value).toEqual(person);
  });

  it('shows a lasting message if it does not work', async () => {
    shell.lapse();
    answers.set('POST /session', [401, {}]);
    await app.enterByLink('the.key');
    vi.advanceTimersByTime(60 * 60_000);
    expect(state()).toEqual([undefined, false, 'signIn', 'keyRefused']);
  });

  it('closes the learning path of a share link that was open', async () => {
    location.hash = '#share=x';
    await shell.open();
    expect(shell.sharing.value).toBeNull();
    location.hash = '';
    answers.set('POST /session', [200, other]);
    await app.enterByLink('the.key');
    expect([shell.sharing.value, shell.session.value]).toEqual([undefined, other]);
  });

  it('does not change the open page on another machine', async () => {
    location.hostname = 'learn.example.go.th';
    await app.enterByLink('the.key');
    expect(state()).toEqual(['o-1', false, 'path', undefined]);
    shell.lapse();
    await app.enterByLink('the.key');
    expect(state()).toEqual(['o-1', true, 'path', 'keyLinkElsewhere']);
  });

  it('asks for the key on another machine if nobody is signed in', async () => {
    location.hostname = 'learn.example.go.th';
    await shell.start();
    shell.makeWay();
    await app.enterByLink('the.key');
    expect(state()).toEqual([undefined, false, 'signIn', 'keyLinkElsewhere']);
  });
});

describe('a portal that does not answer', () => {
  it('signs nobody out, and keeps the open page', async () => {
    for (const refused of [undefined, [503, {}], [429, {}]] as const) {
      answers.delete('DELETE /session');
      if (refused) answers.set('DELETE /session', [...refused]);
      expect(await shell.signOut()).toBe(false);
      expect(state()).toEqual(['o-1', false, 'path', undefined]);
    }
    answers.set('DELETE /session', [200, null]);
    expect(await shell.signOut()).toBe(true);
    expect(state()).toEqual([undefined, false, 'signIn', undefined]);
  });

  it('is asked again without a message, and the page opens once it answers', async () => {
    answers.set('DELETE /session', [200, null]);
    await shell.signOut();
    answers.clear();
    await shell.start();
    expect(state()).toEqual([undefined, false, 'failed', undefined]);
    await shell.recover();
    expect(state()).toEqual([undefined, false, 'failed', undefined]);
    signedIn(officer);
    await shell.recover();
    expect(state()).toEqual(['o-1', false, 'loading', undefined]);
  });

  it('does not change an open page', async () => {
    shell.show('failed');
    const before = shell.attempt.value;
    await shell.recover();
    expect([shell.attempt.value, shell.shown.value.screen]).toEqual([before, 'failed']);
  });
});

describe('a page whose code is gone', () => {
  it('is loaded again once the portal answers, because the index names the current code', async () => {
    shell.notFetched();
    answers.clear();
    await shell.start();
    expect([reload.mock.calls.length, shell.shown.value.screen]).toEqual([0, 'failed']);
    signedIn(officer);
    await shell.start();
    expect(reload).toHaveBeenCalledOnce();
  });
});
