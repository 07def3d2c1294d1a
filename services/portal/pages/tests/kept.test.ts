import { beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../src/api';

const listeners: ((event: { preventDefault: () => void }) => void)[] = [];
vi.stubGlobal('window', { addEventListener: (_: string, listen: (typeof listeners)[number]) => listeners.push(listen), location: { hash: '' }, setTimeout: () => 0, clearTimeout: () => undefined });
const { Kept } = await import('../src/kept');
const { enter, lapse, session } = await import('../src/shell');

const supervisor = (agency: string) => ({ tenant: 't', role: 'supervisor', officer: null, agency, person: agency }) as unknown as Session;

beforeEach(() => {
  listeners.length = 0;
  session.value = supervisor('one');
});

test('what somebody entered stays for that person and is forgotten for another', () => {
  const kept = new Kept(() => ({ entered: '' }));
  kept.get('a').entered = 'words';
  session.value = supervisor('one');
  expect(kept.get('a').entered).toBe('words');
  expect(kept.get('b').entered).toBe('');
  session.value = supervisor('two');
  expect(kept.get('a').entered).toBe('');
  session.value = supervisor('one');
  expect(kept.get('a').entered).toBe('');
});

test('a sign-out reaches what its person has left, also one that the page finds out from a refused request', () => {
  const kept = new Kept((id) => ({ id, ended: 0 }));
  kept.whenOver((entry) => {
    entry.ended += 1;
  });
  const one = kept.get('a');
  session.value = supervisor('one');
  expect(one.ended).toBe(0);
  session.value = undefined;
  expect(one.ended).toBe(1);
  session.value = supervisor('one');
  expect(kept.get('a')).toEqual({ id: 'a', ended: 1 });
  lapse();
  expect(one.ended).toBe(2);
  enter(supervisor('one'));
  expect(kept.get('a')).toEqual({ id: 'a', ended: 2 });
});

test('closing the window is warned of only while something is not sent', () => {
  const kept = new Kept(() => ({ entered: '' }));
  kept.warnOf(({ entered }) => entered !== '');
  const closing = () => {
    const preventDefault = vi.fn();
    for (const listen of listeners) listen({ preventDefault });
    return preventDefault.mock.calls.length;
  };
  expect(closing()).toBe(0);
  kept.get('a').entered = 'words';
  expect(closing()).toBe(1);
});
