/** Which of the editors' pages the address names, and its parameters: `#view=courses&q=excel`. */

import { computed } from '@preact/signals';
import { linkTo, params } from '../address';
import type { Session } from '../api';

const VIEW_NAMES = ['matches', 'courses', 'load', 'health', 'frameworks', 'officers', 'agency', 'supervision', 'system'] as const;
export type View = (typeof VIEW_NAMES)[number];
const ADMINS_ONLY: readonly View[] = ['officers', 'agency', 'supervision', 'system'];

/** Return the pages that somebody of a role has: editors see nothing of officers. */
export const viewsOf = (role: Session['role'] | undefined): readonly View[] =>
  VIEW_NAMES.filter((name) => role === 'admin' || !ADMINS_ONLY.includes(name));

/** The page that the address names, and its parameters. An officer's page has its own form of address; without a name it is the first page. */
export const address = computed(() => {
  const query = params.value;
  const named = query.get('view');
  const officers = query.has('officer') || query.has('choose');
  const view: View = officers ? 'officers' : (VIEW_NAMES.find((name) => name === named) ?? 'matches');
  return { view, params: query };
});

/** Return the address of a page, without the parameters that are empty. */
export const link = (view: View, query: Parameters<typeof linkTo>[0] = {}): string =>
  view === 'officers' ? '#choose' : linkTo({ view, ...query });

/** Go to a page. */
export function goToView(view: View, query: Parameters<typeof linkTo>[0] = {}): void {
  window.location.hash = link(view, query);
}
