/** Links to pages, or to the parts of one: many of them are behind a button on a phone. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { type Key, t } from './i18n';
import { Button } from './ui';

const MANY = 3; // more links than this are folded on a phone

interface PageNavProps {
  /** The name of the button, and its words; the words of the open link are shown beside them. */
  name: 'menu' | 'contents';
  /** The name of all links together. */
  label: Key;
  /** The links, which fold again when one is followed. */
  links: readonly { name: string; href: string; words: Key; isPresent?: boolean; onClick?: (event: Event) => unknown }[];
}

export function PageNav({ name: menu, label, links }: PageNavProps): JSX.Element {
  const unfolded = useSignal(false);
  const present = links.find(({ isPresent }) => isPresent);
  const isFoldable = links.length > MANY;
  return (
    <nav class={isFoldable ? 'page-nav foldable' : 'page-nav'} aria-label={t(label)}>
      {isFoldable && (
        <Button
          name={menu}
          aria-expanded={unfolded.value}
          aria-controls={`${menu}-links`}
          onClick={() => {
            unfolded.value = !unfolded.value;
          }}
        >
          {t(menu)}
          {present && <span class="quiet"> {t(present.words)}</span>}
        </Button>
      )}
      <ul id={`${menu}-links`} class={unfolded.value ? 'unfolded' : undefined}>
        {links.map(({ name, href, words, isPresent, onClick }) => (
          <li key={name}>
            <a
              href={href}
              aria-current={isPresent ? 'page' : undefined}
              data-keep={name}
              onClick={(event) => {
                unfolded.value = false;
                onClick?.(event);
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
