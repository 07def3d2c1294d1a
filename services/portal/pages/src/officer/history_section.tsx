/** The place of the history on an officer's page: it is fetched, with its words, when somebody asks for it. */

import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { addWords, t } from '../i18n';
import { goTo } from '../shell';
import { Button, Section, Wrong } from '../ui';
import type { Visit } from './visit';

async function load(): Promise<ComponentType<{ visit: Visit }>> {
  const [view, words] = await Promise.all([import('./history'), import('../../locales/history.th.json')]);
  await addWords(words.default, () => import('../../locales/history.en.json'));
  return view.default;
}

/** What was, on demand. */
export function HistorySection({ visit }: { visit: Visit }): JSX.Element {
  const view = useSignal<{ part?: ComponentType<{ visit: Visit }>; busy?: boolean; failed?: boolean }>({});
  const open = async () => {
    view.value = { busy: true };
    try {
      view.value = { part: await load() };
      goTo('history-title'); // the button is gone
    } catch {
      view.value = { failed: true };
    }
  };
  const { part: History, busy, failed } = view.value;
  return (
    <Section name="history" title="historyTitle" why="historyWhy" target>
      {History ? (
        <History visit={visit} />
      ) : (
        <Button name="history-show" busy={busy} onClick={open}>
          {t('historyShow')}
        </Button>
      )}
      <Wrong id="history-wrong">{failed && t('unreachable')}</Wrong>
    </Section>
  );
}
