/** The pages of a platform: the paths of officers, and the report of an agency. */

import '../styles/controls.css';
import { useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { show, title } from '../shell';
import { Message } from '../ui';
import { agency } from '../views';

type View = 'officers' | 'agency';

const PAGES: Record<View, () => Promise<{ default: ComponentType }>> = { officers: () => import('../officer/page'), agency };

const named = (): View => (new URLSearchParams(window.location.hash.slice(1)).get('view') === 'agency' ? 'agency' : 'officers');

/** Both pages with the way from one to the other. */
export default function PlatformPage(): JSX.Element {
  const view = useSignal(named());
  const opened = useSignal<{ view: View; Page: ComponentType } | undefined>(undefined);
  const wanted = view.value;
  useEffect(() => {
    const changed = () => {
      view.value = named();
    };
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, [view]);
  useEffect(() => {
    let over = false;
    title.value = wanted === 'agency' ? 'agency.title' : 'title';
    PAGES[wanted]().then(
      (found) => {
        if (!over) opened.value = { view: wanted, Page: found.default };
      },
      () => show('failed', { complaint: 'unreachable' }),
    );
    return () => {
      over = true;
      title.value = 'title';
    };
  }, [wanted, opened]);
  const found = opened.value;
  return (
    <>
      <nav class="page-nav" aria-label={t('agency.nav')}>
        <ul>
          {(['officers', 'agency'] as const).map((name) => (
            <li key={name}>
              <a href={name === 'agency' ? '#view=agency' : '#choose'} aria-current={name === wanted ? 'page' : undefined} data-keep={`to-${name}`}>
                {t(name === 'agency' ? 'agency.navAgency' : 'agency.navOfficers')}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      {found?.view === wanted ? <found.Page /> : <Message title="loading" />}
    </>
  );
}
