/**
 * Links that sign in, `/#key=...`, as `make run` prints them. No server is sent a fragment. They work only where the
 * portal is on the reader's own machine: elsewhere a link of somebody else's could sign a reader in as that person.
 */

const KEY = 'key=';

/** Return the key that a fragment holds, undefined without one, and the fragment without it. */
export function parted(hash: string): { key: string | undefined; rest: string } {
  const parts = hash.replace(/^#/, '').split('&');
  const found = parts.find((part) => part.startsWith(KEY));
  if (found === undefined) return { key: undefined, rest: hash };
  const rest = parts.filter((part) => part && !part.startsWith(KEY)).join('&');
  return { key: new URLSearchParams(found).get('key')?.trim() ?? '', rest: rest && `#${rest}` };
}

/** Whether a host name is that of the reader's own machine. */
export const isOwnMachine = (host: string): boolean =>
  host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host) || /(^|\.)localhost$/.test(host);

/** Return the key of the address, if there is one, and remove it from the address bar and the history of the tab. */
export function takeKey(): string | undefined {
  const { hash, pathname, search } = window.location;
  const { key, rest } = parted(hash);
  if (key !== undefined) window.history.replaceState(null, '', `${pathname}${search}${rest}`);
  return key;
}
