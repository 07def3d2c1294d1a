/** A path with its details, feedback, questions and trials. */

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Recommended } from '../api';
import { type Key, t } from '../i18n';
import { PageNav } from '../page_nav';
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
import { StudyTime } from './study_time';
import { Summary } from './summary';
import { Toast } from './toast';
import type { Visit } from './visit';
import { WhatIf } from './what_if';
import { WhyNot } from './why_not';

/** The links to the sections. What-if and why-not need the framework, skills need a requirement. */
function Contents({ asking, measured, own }: { asking: boolean; measured: boolean; own: boolean }): JSX.Element {
  const sections: [string, Key, boolean][] = [
    ['what-if-title', 'navWhatIf', asking],
    ['why-not-title', 'navWhyNot', asking],
    ['time-title', 'navTime', true],
    ['gaps-title', 'navGaps', measured],
    ['statements-title', 'navStatements', true],
    ['share-title', 'shareTitle', own],
    ['history-title', 'historyTitle', true],
  ];
  const to = (id: string) => (event: Event) => {
    event.preventDefault(); // the address may name the officer
    goTo(id);
  };
  return (
    <PageNav
      name="contents"
      label="pageNav"
      links={sections.filter(([, , is]) => is).map(([id, words]) => ({ name: `nav-${id}`, href: `#${id}`, words, onClick: to(id) }))}
    />
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
        title={visit.role === 'officer' ? t('title') : t('pathOf', { id: visit.officer })}
        whose={<Whose />}
        next={<NextStep path={path} visit={visit} />}
        own={visit.role === 'officer' ? visit : undefined}
        namesFailed={framework === undefined && visit.frameworkFailed.value}
      >
        <Contents asking={framework !== undefined} measured={path.gaps.length > 0} own={visit.role === 'officer'} />
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
              {(framework !== undefined || visit.frameworkFailed.value) && <AfterPaint>{() => <Skills path={path} framework={framework} />}</AfterPaint>}
              <OpenGaps path={path} />
              <Notes path={path} />
            </div>
          )}
        </AfterPaint>
      </div>
      <AfterPaint>
        {() => (
          <div class="controls">
            {framework && <AfterPaint>{() => <WhatIf visit={visit} path={path} framework={framework} />}</AfterPaint>}
            {framework && <AfterPaint>{() => <WhyNot visit={visit} path={path} framework={framework} />}</AfterPaint>}
            <AfterPaint>
              {() => (
                <>
                  <Statements visit={visit} />
                  {visit.role === 'officer' && <ShareSection visit={visit} />}
                  <HistorySection visit={visit} />
                </>
              )}
            </AfterPaint>
          </div>
        )}
      </AfterPaint>
    </>
  );
}
