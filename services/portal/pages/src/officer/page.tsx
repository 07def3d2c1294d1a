/** The page of one officer's path: an officer sees their own, others choose whose. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { goToAddress, params } from '../address';
import { isId } from '../ids';
import { t } from '../i18n';
import { focusOn, lapsed, session, show, shown } from '../shell';
import { EntryForm, Message } from '../ui';
import { News } from './news';
import { PathView } from './path_view';
import { current, Visit } from './visit';

/** Whose page this is, for a reader who is not the officer. */
export function Whose(): JSX.Element | null {
  const visit = current.value;
  if (!visit || visit.role === 'officer') return null;
  return (
    <p class="whose">
      {t('officer', { id: visit.officer })}{' '}
      <a href="#choose" data-keep="another">
        {t('anotherOfficer')}
      </a>
    </p>
  );
}

function choose(officer: string): void {
  if (isId(officer)) goToAddress({ officer });
  else {
    show('choose', { complaint: 'officerNeeded' });
    focusOn('officer');
  }
}

const Choose = (): JSX.Element => (
  <EntryForm
    name="officer"
    title="choose"
    why="chooseWhy"
    label="officerId"
    hint="officerHint"
    button="show"
    complaint={shown.value.complaint}
    input={{ type: 'text', lang: 'en' }}
    onEntry={choose}
  />
);

/** Keep the visit of the chosen officer open while the page is open. */
function useVisit(): void {
  const who = session.value;
  const role = who?.role;
  const officer = role === 'officer' ? who?.officer : params.value.get('officer');
  useEffect(() => {
    if (!role) return undefined;
    if (!officer) {
      show('choose');
      return undefined;
    }
    const visit = new Visit(officer, role);
    current.value = visit;
    visit.open();
    return () => {
      visit.close();
      current.value = undefined;
    };
  }, [role, officer]);
  const isOver = lapsed.value;
  const wasOver = useRef(isOver);
  useEffect(() => {
    if (wasOver.current && !isOver) current.value?.resume();
    wasOver.current = isOver;
  }, [isOver]);
}

function Screen(): JSX.Element {
  const visit = current.value;
  const { screen } = shown.value;
  if (screen === 'choose') return <Choose />;
  if (screen === 'path' && visit?.recommended.value) return <PathView visit={visit} recommended={visit.recommended.value} />;
  if (screen === 'waiting') {
    return (
      <Message title="waiting" why="waitingWhy">
        <div class="pulse" aria-hidden="true" />
        <Whose />
      </Message>
    );
  }
  if (screen === 'unknown' || screen === 'erased') {
    return (
      <Message title={screen} why={screen === 'unknown' ? 'unknownWhy' : 'erasedWhy'}>
        <Whose />
      </Message>
    );
  }
  return <Message title="loading" />;
}

/** The chosen officer's page below the news of the path. */
export default function OfficerPage(): JSX.Element {
  useVisit();
  return (
    <>
      <News visit={current.value} />
      <Screen />
    </>
  );
}
