/** The pages of the portal by the role that sees them; each is fetched when it is opened. */

import type { ComponentType } from 'preact';
import type { Session } from './api';
import { withWords } from './i18n';
import type { ShareLink } from './share_link';
import { session } from './shell';

export type Load<P = object> = () => Promise<{ default: ComponentType<P> }>;

const officer: Load = () => import('./officer/page');
/** The report of an agency, which roles have among other pages. */
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

/** What somebody of a role sees after signing in. */
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

/** Fetch the page of the role that was signed in last on this device, while the session is fetched. */
export function fetchLastPage(): void {
  try {
    const role = localStorage.getItem(REMEMBERED);
    if (role !== null && Object.hasOwn(VIEWS, role)) VIEWS[role as Session['role']]().catch(() => undefined);
  } catch {
    // as above
  }
}
