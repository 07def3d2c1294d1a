/**
 * Share links, `/#share=KEY&officer=ID`: who has one reads that officer's path without signing in. The key stands in the
 * fragment, which no server is sent, and is kept nowhere else.
 */

import { isId } from './ids';

const KEY = /^[0-9a-f]{16}\.[\w-]{20,100}$/;

export interface ShareLink {
  key: string;
  officer: string;
}

/** Return what a share link opens; null if the fragment means to be one and is damaged, undefined if it is none. */
export function shareLinkOf(hash: string): ShareLink | null | undefined {
  const params = new URLSearchParams(hash.replace(/^#/, ''));
  const key = params.get('share');
  if (key === null) return undefined;
  const officer = params.get('officer');
  return KEY.test(key) && isId(officer) ? { key, officer } : null;
}

/** Return the address of a share link on this portal. */
export const shareAddress = (origin: string, { key, officer }: ShareLink): string =>
  `${origin}/#${new URLSearchParams({ share: key, officer })}`;
