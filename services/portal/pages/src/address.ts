/** What stands behind the `#` of the address: which page is meant, and what it asks. */

import { signal } from '@preact/signals';

const read = () => new URLSearchParams(window.location.hash.slice(1));

/** The parameters of the address. */
export const params = signal(read());
window.addEventListener('hashchange', () => {
  params.value = read();
});

/** Return an address with these parameters, those that are empty left out. */
export function linkTo(given: Record<string, string | number | null | undefined>): string {
  const named = Object.entries(given).flatMap(([name, value]) => (value === undefined || value === null || value === '' ? [] : [[name, String(value)]]));
  return `#${new URLSearchParams(named)}`;
}

/** Go to an address. */
export function goToAddress(given: Parameters<typeof linkTo>[0]): void {
  window.location.hash = linkTo(given);
}

/** Return an address of the web that a browser may be sent to, nothing where it is none. */
export const webAddress = (url: string | null | undefined): string | undefined => (url && /^https?:\/\//.test(url) ? url : undefined);
