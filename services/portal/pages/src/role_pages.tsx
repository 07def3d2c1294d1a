/** The pages of a role that has several: links from one to another, and the one that is open, fetched when it is opened. */

import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Key } from './i18n';
import { notFetched, show, title, useTop } from './shell';
import { PageNav } from './page_nav';
import { Message } from './ui';
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

export function RolePages({ label, pages, open }: RolePagesProps): JSX.Element {
  const fetched = useSignal<{ name: string; Page: ComponentType } | undefined>(undefined);
  const page = pages.find(({ name }) => name === open);
  const { load, title: called } = page ?? {};
  useTop(open);
  useEffect(() => {
    if (!load) return undefined;
    title.value = called ?? 'title';
    if (open !== 'officers') show('page'); // that one sets its own screen
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
      <PageNav
        name="menu"
        label={label}
        links={pages.map(({ name, link, words }) => ({ name: `to-${name}`, href: link, words, isPresent: name === open }))}
      />
      {found?.name === open ? <found.Page /> : <Message title="loading" />}
    </>
  );
}
