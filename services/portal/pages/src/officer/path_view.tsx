/** A path with its details, feedback, questions and trials. */

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Recommended } from '../api';
import { type Key, t } from '../i18n';
import { goTo } from '../shell';
import { AfterPaint } from '../ui';
import { Assessment } from './assessment';
import { Statements } from './feedback';
import { HistorySection, ShareSection } from './later';
import { NextStep } from './next_step';
import { Notes, OpenGaps, ToAssess } from './notices';
import { Whose } from './page';
import { Skills } from './skills';
import { Steps } from './steps';
import { Missing, StudyTime } from './study_time';
import { Summary } from './summary';
import { Toast } from './toast';
import type { Visit } from './visit';
import { WhatIf } from './what_if';
import { WhyNot } from './why_not';

function Link({ to, words }: { to: string; words: Key }): JSX.Element {
  const go = (event: Event) => {
    event.preventDefault();
    goTo(to);
  };
  return (
    <li>
      <a href={`#${to}`} data-keep={`nav-${to}`} onClick={go}>
        {t(words)}
      </a>
    </li>
  );
}

/** The links to the sections. What-if and why-not need the framework, skills need a requirement. */
function PageNav({ asking, measured, own }: { asking: boolean; measured: boolean; own: boolean }): JSX.Element {
  return (
    <nav class="page-nav" aria-label={t('pageNav')}>
      <ul>
        {asking && <Link to="what-if-title" words="navWhatIf" />}
        {asking && <Link to="why-not-title" words="navWhyNot" />}
        <Link to="time-title" words="navTime" />
        {measured && <Link to="gaps-title" words="navGaps" />}
        <Link to="statements-title" words="navStatements" />
        {own && <Link to="share-title" words="shareTitle" />}
        <Link to="history-title" words="historyTitle" />
      </ul>
    </nav>
  );
}

/** Everything about the path that is shown. */
export function PathView({ visit, recommended }: { visit: Visit; recommended: Recommended }): JSX.Element {
  const { path } = recommended;
  const framework = visit.framework.value;
  return (
    <>
      <Summary
        recommended={recommended}
        framework={framework}
        title={visit.role === 'officer' ? t('title') : t('planOf', { id: visit.officer })}
        whose={<Whose />}
        next={<NextStep path={path} visit={visit} />}
        canAssess={visit.role === 'officer'}
      >
        <Missing path={path} />
        <PageNav asking={framework !== undefined} measured={path.gaps.length > 0} own={visit.role === 'officer'} />
        {visit.role === 'officer' && <Assessment visit={visit} />}
      </Summary>
      <AfterPaint>
        {() => <Below visit={visit} recommended={recommended} />}
      </AfterPaint>
      <Toast visit={visit} />
    </>
  );
}

/** What is below the head: the path, the skills, and the questions. */
function Below({ visit, recommended }: { visit: Visit; recommended: Recommended }): JSX.Element {
  const { path } = recommended;
  const framework = visit.framework.value;
  const weekly = visit.profile.value?.weekly_hours ?? undefined;
  const steps = useMemo(
    () => recommended.path.steps.length > 0 && <Steps recommended={recommended} framework={() => visit.framework.value} weekly={weekly} visit={visit} />,
    [recommended, weekly, visit], // the framework comes later and changes nothing of them
  );
  return (
    <>
      <div class="columns">
        {steps}
        <AfterPaint>
          {() => (
            <div class="beside">
              <StudyTime path={path} visit={visit} />
              <ToAssess path={path} />
              {(framework !== undefined || visit.frameworkFailed.value) && <Skills path={path} framework={framework} />}
              <OpenGaps path={path} />
              <Notes path={path} />
            </div>
          )}
        </AfterPaint>
      </div>
      <AfterPaint>
        {() => (
          <div class="controls">
            {framework && <WhatIf visit={visit} path={path} framework={framework} />}
            {framework && <WhyNot visit={visit} path={path} framework={framework} />}
            <Statements visit={visit} />
            {visit.role === 'officer' && <ShareSection visit={visit} />}
            <HistorySection visit={visit} />
          </div>
        )}
      </AfterPaint>
    </>
  );
}
