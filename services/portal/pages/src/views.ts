/** The pages of the portal by the role that sees them; each is fetched when it is opened. */

import type { ComponentType } from 'preact';
import { params } from './address';
import type { Session } from './api';
import type { View } from './editor/address';
import { withWords } from './i18n';
import type { ShareLink } from './share_link';
import { session } from './shell';

export type Load<P = object> = () => Promise<{ default: ComponentType<P> }>;

/** An officer's page, as one of several pages of a role. */
export const officer: Load = () => import('./officer/page');
/** The report of an agency, as one of several pages of a role. */
export const agency: Load = withWords(
  () => import('./agency/page'),
  () => import('../locales/agency.th.json'),
  () => import('../locales/agency.en.json'),
);
const platform: Load = withWords(
  () => import('./agency/platform'),
  () => import('../locales/agency.th.json'),
  () => import('../locales/agency.en.json'),
);
const supervisor: Load = withWords(
  () => import('./supervisor/page'),
  () => import('../locales/supervisor.th.json'),
  () => import('../locales/supervisor.en.json'),
);
const editor: Load = withWords(
  () => import('./editor/page'),
  () => import('../locales/editor.th.json'),
  () => import('../locales/editor.en.json'),
);

/** The pages of editors and admins by their names in the address. */
export const EDITOR_PAGES: Record<View, Load> = {
  matches: () => import('./editor/matches'),
  courses: () => import('./editor/courses'),
  load: () => import('./editor/load'),
  health: () => import('./editor/health'),
  frameworks: () => import('./editor/frameworks'),
  officers: officer,
  agency,
  supervision: withWords(
    () => import('./supervision/page'),
    () => import('../locales/supervision.th.json'),
    () => import('../locales/supervision.en.json'),
  ),
  system: withWords(
    () => import('./system/page'),
    () => import('../locales/system.th.json'),
    () => import('../locales/system.en.json'),
  ),
};

/** The page that a person of a role sees after signing in. */
export const VIEWS: Record<Session['role'], Load> = {
  officer,
  platform,
  supervisor,
  analyst: agency,
  admin: editor,
  editor,
};

/** What a share link opens. */
export const sharedPage: Load<{ link: ShareLink | null }> = withWords(
  () => import('./shared/page'),
  () => import('../locales/shared.th.json'),
  () => import('../locales/shared.en.json'),
);

const REMEMBERED = 'role';

session.subscribe((present) => {
  if (!present) return;
  try {
    localStorage.setItem(REMEMBERED, present.role);
  } catch {
    // storage may be forbidden; the page works without it
  }
});

/** Return the function that fetches the page that the address names, for a role that has several. */
function named(role: Session['role']): Load | undefined {
  const name = params.peek().get('view') ?? 'matches';
  if (role === 'platform') return name === 'agency' ? agency : officer;
  if (role !== 'editor' && role !== 'admin') return undefined;
  return Object.hasOwn(EDITOR_PAGES, name) ? EDITOR_PAGES[name as View] : undefined;
}

/** Fetch the page of the role that was signed in last on this device, while the session is fetched. */
export function fetchLastPage(): void {
  try {
    const role = localStorage.getItem(REMEMBERED);
    if (role === null || !Object.hasOwn(VIEWS, role)) return;
    for (const load of [VIEWS[role as Session['role']], named(role as Session['role'])]) load?.().catch(() => undefined);
  } catch {
    // as above
  }
}
