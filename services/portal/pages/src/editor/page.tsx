/** The pages of the people who maintain the catalog. Each is fetched when it is opened. */

import './editor.css';
import type { JSX } from 'preact';
import { type RolePage, RolePages } from '../role_pages';
import { session } from '../shell';
import { EDITOR_PAGES } from '../views';
import { address, link, type View, viewsOf } from './address';

const pageOf = (name: View): RolePage => ({
  ...{ name, link: link(name), words: `editor.${name}`, title: `editor.${name}`, load: EDITOR_PAGES[name] },
});

export default function EditorPage(): JSX.Element {
  const views = viewsOf(session.value?.role);
  const open = views.find((name) => name === address.value.view) ?? 'matches';
  return <RolePages label="editorNav" pages={views.map(pageOf)} open={open} />;
}
