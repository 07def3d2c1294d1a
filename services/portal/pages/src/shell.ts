/** Who is signed in and which screen is shown: what every page of the portal shares. */

import { signal } from '@preact/signals';
import { ApiError, readSession, readSignInOptions, type Session, signOut as forgetKey } from './api';
import type { Key } from './i18n';
import type { Connection } from './live';
import { type ShareLink, shareLinkOf } from './share_link';

export type Screen = 'loading' | 'signIn' | 'choose' | 'waiting' | 'unknown' | 'erased' | 'failed' | 'path' | 'page';

interface Shown {
  screen: Screen;
  /** What was wrong with what was entered, or why nobody is signed in any more. */
  complaint?: Key | undefined;
  requestId?: string | undefined;
}

export const session = signal<Session | undefined>(undefined);
export const shown = signal<Shown>({ screen: 'loading' });
/** Whether people may sign in with the account of their organisation here. */
export const openid = signal(false);
/** The state of the live stream; undefined on pages without one. */
export const connection = signal<Connection | undefined>(undefined);

/** What a share link opens that the address holds; null for a damaged one, undefined without one. */
export const sharing = signal<ShareLink | null | undefined>(undefined);

/** What the window is called. */
export const title = signal<Key>('title');

/** Show a screen. */
export function show(screen: Screen, more: Omit<Shown, 'screen'> = {}): void {
  shown.value = { screen, ...more };
}

/** Show why a request was refused: signed out, or not to be had just now. */
export function refused(error: ApiError): void {
  if (error.status === 401) {
    const before = session.value;
    session.value = undefined;
    show('signIn', { complaint: before && 'sessionOver' });
  } else show('failed', { complaint: error.status === 0 ? 'unreachable' : undefined, requestId: error.requestId });
}

/** Find out how people may sign in besides with a key. */
export function offerSignIn(): Promise<void> {
  return readSignInOptions().then(
    (options) => {
      openid.value = options.openid;
    },
    () => undefined, // a key still signs in
  );
}

/** Show what the address opens: the path of a share link, or the page of who is signed in. */
export async function open(): Promise<void> {
  const before = sharing.value;
  sharing.value = shareLinkOf(window.location.hash);
  if (sharing.value === undefined && (before !== undefined || !session.value)) await start();
}

/** Find out who is signed in, and show their page. */
export async function start(): Promise<void> {
  show('loading');
  const offered = offerSignIn();
  try {
    session.value = await readSession();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    await offered; // the form is shown with every way to sign in, so that none moves it later
    refused(error);
  }
}

/** Sign out on this device, or on every one where the person signed in with the account of their organisation. */
export async function signOut(everywhere = false): Promise<void> {
  try {
    await forgetKey(everywhere);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    refused(error);
    return;
  }
  session.value = undefined;
  show('signIn');
  focusOn('main');
}

/** Move the focus to an element without scrolling. */
export const focusOn = (id: string): void => document.getElementById(id)?.focus({ preventScroll: true });

/** Focus an element and scroll to it. The address stays, because it may name the officer. */
export function goTo(id: string): void {
  focusOn(id);
  document.getElementById(id)?.scrollIntoView();
}
