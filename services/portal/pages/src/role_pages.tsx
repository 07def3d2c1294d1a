/** The pages of a role that has several: links from one to another, and the one that is open, fetched when it is opened. */

import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { type Key, t } from './i18n';
import { focusOn, notFetched, show, title } from './shell';
import { Button, Message } from './ui';
import type { Load } from './views';

/** One page: the text of its link, its address, and the title of the window while it is open. */
export interface RolePage {
  name: string;
  link: string;
  words: Key;
  title: Key;
  load: Load;
}

interface RolePagesProps {
  /** The name of the links together. */
  label: Key;
  pages: readonly RolePage[];
  /** The name of the page that is open. */
  open: string;
}

const MANY = 3; // more links than this are folded on a phone

/** The links: on a phone, where there are many, behind a button that says which page is open. */
function Links({ label, pages, open }: RolePagesProps): JSX.Element {
  const unfolded = useSignal(false);
  const present = pages.find(({ name }) => name === open);
  const isFoldable = pages.length > MANY;
  return (
    <nav class={isFoldable ? 'page-nav foldable' : 'page-nav'} aria-label={t(label)}>
      {isFoldable && (
        <Button
          name="menu"
          aria-expanded={unfolded.value}
          aria-controls="role-pages"
          onClick={() => {
            unfolded.value = !unfolded.value;
          }}
        >
          {t('menu')}
          {present && <span class="quiet"> {t(present.words)}</span>}
        </Button>
      )}
      <ul id="role-pages" class={unfolded.value ? 'unfolded' : undefined}>
        {pages.map(({ name, link, words }) => (
          <li key={name}>
            <a
              href={link}
              aria-current={name === open ? 'page' : undefined}
              data-keep={`to-${name}`}
              onClick={() => {
                unfolded.value = false;
              }}
            >
              {t(words)}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

export function RolePages({ label, pages, open }: RolePagesProps): JSX.Element {
  const fetched = useSignal<{ name: string; Page: ComponentType } | undefined>(undefined);
  const before = useRef(open);
  const page = pages.find(({ name }) => name === open);
  const { load, title: called } = page ?? {};
  useEffect(() => {
    if (!load) return undefined;
    title.value = called ?? 'title';
    if (open !== 'officers') show('page'); // that one sets its own screen
    if (before.current !== open) focusOn('main');
    before.current = open;
    let over = false;
    load().then(
      (found) => {
        if (!over) fetched.value = { name: open, Page: found.default };
      },
      notFetched,
    );
    return () => {
      over = true;
      title.value = 'title';
    };
  }, [open, load, called, fetched]);
  const found = fetched.value;
  return (
    <>
      <Links label={label} pages={pages} open={open} />
      {found?.name === open ? <found.Page /> : <Message title="loading" />}
    </>
  );
}
