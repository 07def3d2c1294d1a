/** The pages of those who maintain the catalog. Each is fetched when it is opened. */

import './editor.css';
import type { JSX } from 'preact';
import { withWords } from '../i18n';
import { type RolePage, RolePages } from '../role_pages';
import { session } from '../shell';
import { agency, type Load } from '../views';
import { address, link, type View, viewsOf } from './address';

const PAGES: Record<View, Load> = {
  matches: () => import('./matches'),
  courses: () => import('./courses'),
  load: () => import('./load'),
  health: () => import('./health'),
  frameworks: () => import('./frameworks'),
  officers: () => import('../officer/page'),
  agency,
  supervision: withWords(
    () => import('../supervision/page'),
    () => import('../../locales/supervision.th.json'),
    () => import('../../locales/supervision.en.json'),
  ),
  system: withWords(
    () => import('../system/page'),
    () => import('../../locales/system.th.json'),
    () => import('../../locales/system.en.json'),
  ),
};

const pageOf = (name: View): RolePage => ({
  ...{ name, link: link(name), words: `editor.${name}`, title: `editor.${name}`, load: PAGES[name] },
});

export default function EditorPage(): JSX.Element {
  const views = viewsOf(session.value?.role);
  const open = views.find((name) => name === address.value.view) ?? 'matches';
  return <RolePages label="editorNav" pages={views.map(pageOf)} open={open} />;
}
