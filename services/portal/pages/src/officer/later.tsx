/** The sections of an officer's page that are fetched, with their words, when they are opened. */

import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { type Key, t, withWords } from '../i18n';
import { keepPlaced, placed } from '../place';
import { goTo } from '../shell';
import { Button, Section, Wrong } from '../ui';
import type { Visit } from './visit';

type Part = ComponentType<{ visit: Visit }>;

const loadHistory = withWords(
  () => import('./history'),
  () => import('../../locales/history.th.json'),
  () => import('../../locales/history.en.json'),
);
const loadShare = withWords(
  () => import('./share'),
  () => import('../../locales/share.th.json'),
  () => import('../../locales/share.en.json'),
);

interface LaterProps {
  name: string;
  title: Key;
  why: Key;
  button: Key;
  load: () => Promise<{ default: Part }>;
  visit: Visit;
}

function Later({ name, title, why, button, load, visit }: LaterProps): JSX.Element {
  const view = useSignal<{ part?: Part; busy?: boolean; failed?: boolean }>({});
  const show = `${name}-show`;
  const open = async () => {
    view.value = { busy: true };
    try {
      view.value = { part: (await load()).default };
      keepPlaced(show, true);
    } catch {
      view.value = { failed: true };
    }
  };
  useEffect(() => {
    if (placed(show)) void open(); // it was open when the page was loaded again
    // eslint-disable-next-line react-hooks/exhaustive-deps -- asked once
  }, []);
  const press = async () => {
    await open();
    if (view.value.part) goTo(`${name}-title`); // the button is gone
  };
  const { part: Opened, busy, failed } = view.value;
  return (
    <Section name={name} title={title} why={why} target>
      {Opened ? (
        <Opened visit={visit} />
      ) : (
        <Button name={show} busy={busy} onClick={press}>
          {t(button)}
        </Button>
      )}
      <Wrong id={`${name}-wrong`}>{failed && t('unreachable')}</Wrong>
    </Section>
  );
}

/** The history. */
export const HistorySection = ({ visit }: { visit: Visit }): JSX.Element => (
  <Later name="history" title="historyTitle" why="historyWhy" button="historyShow" load={loadHistory} visit={visit} />
);

/** Share links, which show the plan to others and expire. */
export const ShareSection = ({ visit }: { visit: Visit }): JSX.Element => (
  <Later name="share" title="shareTitle" why="shareWhy" button="shareShow" load={loadShare} visit={visit} />
);
