/** Which of the editors' pages the address means, and what it asks of it: `#view=courses&q=excel`. */

import { signal } from '@preact/signals';
import type { Session } from '../api';

export const VIEW_NAMES = ['matches', 'courses', 'load', 'health', 'frameworks', 'officers', 'agency', 'supervision', 'system'] as const;
export type View = (typeof VIEW_NAMES)[number];
const ADMINS_ONLY: readonly View[] = ['officers', 'agency', 'supervision', 'system'];

/** Return the pages that somebody of a role has: editors see nothing of officers. */
export const viewsOf = (role: Session['role'] | undefined): readonly View[] =>
  VIEW_NAMES.filter((name) => role === 'admin' || !ADMINS_ONLY.includes(name));

interface Address {
  view: View;
  params: URLSearchParams;
}

/** Return what a fragment means: officers' pages have fragments of their own, and without any it is the first page. */
export function addressOf(fragment: string): Address {
  const params = new URLSearchParams(fragment.replace(/^#/, ''));
  const named = params.get('view');
  const view = VIEW_NAMES.find((name) => name === named);
  if (params.has('officer') || params.has('choose')) return { view: 'officers', params };
  return { view: view ?? 'matches', params };
}

export const address = signal(addressOf(window.location.hash));
window.addEventListener('hashchange', () => {
  address.value = addressOf(window.location.hash);
});

/** Return the address of a page, without the parameters that are empty. */
export function link(view: View, params: Record<string, string | number | undefined> = {}): string {
  if (view === 'officers') return '#choose';
  const given = Object.entries(params).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]));
  return `#${new URLSearchParams([['view', view], ...given]).toString()}`;
}

/** Go to a page. */
export function goToView(view: View, params: Record<string, string | number | undefined> = {}): void {
  window.location.hash = link(view, params);
}
