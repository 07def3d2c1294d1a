/** The pages of those who keep the catalog. Each is fetched when it is opened. */

import '../styles/controls.css';
import './editor.css';
import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { addWords, t } from '../i18n';
import { focusOn, session, show, title } from '../shell';
import { Message } from '../ui';
import { agency } from '../views';
import { address, link, type View, viewsOf } from './address';

const PAGES: Record<View, () => Promise<{ default: ComponentType }>> = {
  matches: () => import('./matches'),
  courses: () => import('./courses'),
  load: () => import('./load'),
  health: () => import('./health'),
  frameworks: () => import('./frameworks'),
  officers: () => import('../officer/page'),
  agency,
  supervision: async () => {
    const [page, words] = await Promise.all([import('../supervision/page'), import('../../locales/supervision.th.json')]);
    await addWords(words.default, () => import('../../locales/supervision.en.json'));
    return page;
  },
  system: async () => {
    const [page, words] = await Promise.all([import('../system/page'), import('../../locales/system.th.json')]);
    await addWords(words.default, () => import('../../locales/system.en.json'));
    return page;
  },
};

const Navigation = ({ view, views }: { view: View; views: readonly View[] }): JSX.Element => (
  <nav class="page-nav" aria-label={t('editorNav')}>
    <ul>
      {views.map((name) => (
        <li key={name}>
          <a href={link(name)} aria-current={name === view ? 'page' : undefined} data-keep={`to-${name}`}>
            {t(`editor.${name}`)}
          </a>
        </li>
      ))}
    </ul>
  </nav>
);

export default function EditorPage(): JSX.Element {
  const views = viewsOf(session.value?.role);
  const view = views.find((name) => name === address.value.view) ?? 'matches';
  const opened = useSignal<{ view: View; Page: ComponentType } | undefined>(undefined);
  const before = useRef<View | undefined>(undefined);
  useEffect(() => {
    title.value = `editor.${view}`;
    if (view !== 'officers') show('page');
    if (before.current && before.current !== view) focusOn('main');
    before.current = view;
    let over = false;
    PAGES[view]().then(
      (found) => {
        if (!over) opened.value = { view, Page: found.default };
      },
      () => show('failed', { complaint: 'unreachable' }),
    );
    return () => {
      over = true;
    };
  }, [view, opened]);
  useEffect(
    () => () => {
      title.value = 'title';
    },
    [],
  );
  const found = opened.value;
  return (
    <>
      <Navigation view={view} views={views} />
      {found?.view === view ? <found.Page /> : <Message title="loading" />}
    </>
  );
}
