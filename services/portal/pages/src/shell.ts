/** State that all pages share: who is signed in, and which screen is shown. */

import { batch, signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { ApiError, onSignedOut, readStart, type Session, signOut as forgetKey } from './api';
import type { Key } from './i18n';
import type { Connection } from './live';
import { forgetPlace, isReturning } from './place';
import { type ShareLink, shareLinkOf } from './share_link';

export type Screen = 'loading' | 'signIn' | 'choose' | 'waiting' | 'unknown' | 'erased' | 'failed' | 'path' | 'page';

interface Shown {
  screen: Screen;
  /** What was wrong with the entry. */
  complaint?: Key | undefined;
  requestId?: string | undefined;
}

const KEPT_MS = 15 * 60_000; // how long a page is kept for a person whose session has ended

export const session = signal<Session | undefined>(undefined);
/**
 * Whether the session of `session` has ended without being asked for. The sign-in is shown in place of the page, which
 * is hidden and keeps what was entered until the same person has signed in again.
 */
export const lapsed = signal(false);
/** Why the person must sign in again, or what was wrong with the key. */
export const signInComplaint = signal<Key | undefined>(undefined);
export const shown = signal<Shown>({ screen: 'loading' });
/** Whether people may sign in with the account of their organisation here. */
export const openid = signal(false);
/** The state of the live stream; undefined on pages without one. */
export const connection = signal<Connection | undefined>(undefined);

/** How often the page was opened; each time its state is empty at first. */
export const attempt = signal(0);

/** What a share link opens that the address holds; null for a damaged one, undefined without one. */
export const sharing = signal<ShareLink | null | undefined>(undefined);

/** The title of the window. */
export const title = signal<Key>('title');

/** Show a screen. */
export function show(screen: Screen, more: Omit<Shown, 'screen'> = {}): void {
  shown.value = { screen, ...more };
}

/** Show that a page cannot be fetched now. If the session has ended, the sign-in is shown by `lapse`. */
export function refused(error: ApiError): void {
  show('failed', { complaint: error.status === 0 ? 'unreachable' : undefined, requestId: error.requestId });
}

let forgetting: number | undefined;

/** Whether the officer who has signed in was erased: their session has ended too, and there is nothing to sign in to again. */
const isErased = (): boolean => session.value?.role === 'officer' && shown.value.screen === 'erased';

/** Show the sign-in instead of the open page; `why` says what happened. */
export function lapse(why: Key = 'sessionOver'): void {
  if (!session.value || (isErased() && why === 'sessionOver')) return;
  if (lapsed.value) {
    if (why === 'sessionOther') signInComplaint.value = why; // somebody has signed in since
    return;
  }
  batch(() => {
    lapsed.value = true;
    signInComplaint.value = why;
  });
  forgetting = window.setTimeout(() => leave(why), KEPT_MS);
}

onSignedOut(lapse);

/** Take note of who is signed in, undefined for nobody; a session that had ended is over and forgotten. */
function become(who: Session | undefined, complaint?: Key): void {
  window.clearTimeout(forgetting);
  batch(() => {
    session.value = who;
    lapsed.value = false;
    signInComplaint.value = complaint;
  });
}

/** Show that the officer whose page is open was erased, also where a request found their session ended just before. */
export function erased(): void {
  batch(() => {
    if (session.value?.role === 'officer') become(session.value);
    show('erased');
  });
}

/** Show the sign-in, and forget the page that was open. */
function leave(complaint?: Key): void {
  forgetPlace();
  batch(() => {
    become(undefined, complaint);
    show('signIn');
  });
}

/** Forget the open page, because a person signs in by a link. */
export function makeWay(): void {
  batch(() => {
    sharing.value = shareLinkOf(window.location.hash);
    become(undefined);
    show('loading');
  });
}

/** An officer is the same person with any key; of other roles several people see the same pages. */
export const isSame = (one: Session, other: Session): boolean =>
  one.tenant === other.tenant &&
  one.role === other.role &&
  one.officer === other.officer &&
  one.agency === other.agency &&
  (one.officer !== null || one.person === other.person);

/** Show the page of the person who has signed in; the hidden page if it is that person's. */
export function enter(found: Session): void {
  const kept = lapsed.value && session.value && isSame(session.value, found) ? session.value : undefined;
  batch(() => {
    become(kept ?? found);
    if (kept) return;
    forgetPlace();
    show('loading');
  });
}

/** Tells other tabs at once that a person has signed in or out here. */
const tabs = new BroadcastChannel('session');
tabs.addEventListener('message', () => void checkSession());

/** Tell other tabs to check who is signed in. */
export const announceSession = (): void => tabs.postMessage(null);

/** Check whether the page's person is still signed in: somebody may have signed in or out in another tab. */
export async function checkSession(): Promise<void> {
  const { value: before } = session;
  if (!before || sharing.value !== undefined) return;
  const found = await readStart().then(
    (start) => start.session,
    () => undefined, // not known just now
  );
  if (found === undefined || session.value !== before) return;
  if (found === null) lapse();
  else if (!isSame(found, before)) lapse('sessionOther');
  else if (lapsed.value) enter(found);
}

/** Show what the address opens: the path of a share link, or the page of who is signed in. */
export async function open(): Promise<void> {
  const before = sharing.value;
  sharing.value = shareLinkOf(window.location.hash);
  if (sharing.value === undefined && (before !== undefined || !session.value)) await start();
}

let isOutdated = false;

/** Show that a page's code could not be fetched: without a connection, or because a newer release has replaced it. */
export function notFetched(): void {
  isOutdated = true;
  show('failed', { complaint: 'unreachable' });
}

/** Check who is signed in, and open that person's page. */
export async function start(): Promise<void> {
  batch(() => {
    attempt.value += 1;
    show('loading');
  });
  try {
    const found = await readStart();
    if (isOutdated) {
      window.location.reload(); // the portal answers: its index names the present code
      return;
    }
    openid.value = found.openid;
    if (found.session) {
      become(found.session);
      announceSession(); // it may have begun with the account of an organisation
    } else leave();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    refused(error);
  }
}

/**
 * Start again once the portal answers, if the start has failed; nothing is shown until then. An open page recovers by
 * itself.
 */
export async function recover(): Promise<void> {
  if (session.value && !isOutdated) return;
  const answers = await readStart().then(
    () => true,
    () => false,
  );
  if (answers && shown.value.screen === 'failed') await start();
}

/**
 * Sign out on this device, or on every device where the person signed in with an organisation's account. Return whether
 * that was done; if not, the page stays.
 */
export async function signOut(everywhere = false): Promise<boolean> {
  try {
    await forgetKey(everywhere);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return false;
  }
  announceSession();
  leave();
  focusOn('main');
  return true;
}

/** Move the focus to an element without scrolling. */
export const focusOn = (id: string): void => document.getElementById(id)?.focus({ preventScroll: true });

/** Focus an element and scroll to it, unless the page is being brought back to where the reader was. The address stays, because it may name the officer. */
export function goTo(id: string): void {
  focusOn(id);
  if (!isReturning()) document.getElementById(id)?.scrollIntoView();
}

/** Scroll a newly opened page to its top and move the focus there, unless the reader comes back to it. `which` names the page. */
export function useTop(which: string): void {
  const before = useRef(which);
  useLayoutEffect(() => {
    if (before.current === which) return;
    before.current = which;
    focusOn('main');
    if (!isReturning()) window.scrollTo(0, 0);
  }, [which]);
}
