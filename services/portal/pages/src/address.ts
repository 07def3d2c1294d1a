/** The fragment of the address: which page it names, and the parameters of that page. */

import { signal } from '@preact/signals';

const read = () => new URLSearchParams(window.location.hash.slice(1));

/** The parameters of the address. */
export const params = signal(read());
window.addEventListener('hashchange', () => {
  params.value = read();
});

/** Return an address with these parameters, without empty ones. */
export function linkTo(given: Record<string, string | number | null | undefined>): string {
  const named = Object.entries(given).flatMap(([name, value]) => (value === undefined || value === null || value === '' ? [] : [[name, String(value)]]));
  return `#${new URLSearchParams(named)}`;
}

/** Go to an address. */
export function goToAddress(given: Parameters<typeof linkTo>[0]): void {
  window.location.hash = linkTo(given);
}

/** Return an HTTP address; undefined if the text is none. */
export const webAddress = (url: string | null | undefined): string | undefined => (url && /^https?:\/\//.test(url) ? url : undefined);
