/** The pages of the portal by the role that sees them; each is fetched when it is opened. */

import type { ComponentType } from 'preact';
import type { Session } from './api';
import { addWords } from './i18n';
import type { ShareLink } from './share_link';

export type Load<P = object> = () => Promise<{ default: ComponentType<P> }>;

const officer: Load = () => import('./officer/page');
/** The report of an agency, which roles have among other pages. */
export const agency: Load = async () => {
  const [page, words] = await Promise.all([import('./agency/page'), import('../locales/agency.th.json')]);
  await addWords(words.default, () => import('../locales/agency.en.json'));
  return page;
};
const platform: Load = async () => {
  await agency(); // for its words
  return import('./agency/platform');
};
const supervisor: Load = async () => {
  const [page, words] = await Promise.all([import('./supervisor/page'), import('../locales/supervisor.th.json')]);
  await addWords(words.default, () => import('../locales/supervisor.en.json'));
  return page;
};
const editor: Load = async () => {
  const [page, words] = await Promise.all([import('./editor/page'), import('../locales/editor.th.json')]);
  await addWords(words.default, () => import('../locales/editor.en.json'));
  return page;
};

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
export const sharedPage: Load<{ link: ShareLink | null }> = async () => {
  const [page, words] = await Promise.all([import('./shared/page'), import('../locales/shared.th.json')]);
  await addWords(words.default, () => import('../locales/shared.en.json'));
  return page;
};
