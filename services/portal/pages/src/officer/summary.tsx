/** The head of the page: notices about the path, the next step, and the totals. */

import type { ComponentChildren, JSX } from 'preact';
import type { Framework, Gap, LearningPath, Recommended } from '../api';
import { day, tenths } from '../formats';
import { type Key, Localized, rich, t, type Text } from '../i18n';
import { goTo } from '../shell';
import { AfterPaint, Button } from '../ui';
import { meets } from './skills';
import { Missing } from './study_time';
import type { Visit } from './visit';

/** Return the title of an entry of a framework; its id if the title is not known. */
export const titleOf = (entries: { id: string; title: Text }[] | undefined, id: string): Text =>
  entries?.find((entry) => entry.id === id)?.title ?? { en: id };

function Fact({ name, children }: { name: Key; children: JSX.Element }): JSX.Element {
  return (
    <div>
      <dt>{t(name)}</dt>
      {children}
    </div>
  );
}

function Facts({ recommended, framework }: { recommended: Recommended; framework: Framework | undefined }): JSX.Element {
  const { path, planned_at } = recommended;
  return (
    <dl class="facts">
      <Fact name="jobGroup">
        <Localized as="dd" text={titleOf(framework?.job_groups, path.job_group)} />
      </Fact>
      {path.stage && (
        <Fact name="stage">
          <Localized as="dd" text={titleOf(framework?.stages, path.stage)} />
        </Fact>
      )}
      <Fact name="framework">
        <Localized as="dd" text={framework?.title ?? { en: path.framework }} />
      </Fact>
      {path.budget_hours != null && (
        <Fact name="budget">
          <dd>{t('hours', { n: tenths(path.budget_hours) })}</dd>
        </Fact>
      )}
      <Fact name="plannedAt">
        <dd>
          <time dateTime={planned_at}>{day(planned_at)}</time>
        </dd>
      </Fact>
    </dl>
  );
}

/** What an officer can do if no course is recommended: try another time, or take back statements about courses. */
function WayOut({ path, own }: { path: LearningPath; own: Visit }): JSX.Element {
  const dismissed = own.feedback.value?.statements.filter((one) => one.action === 'not_relevant').length ?? 0;
  const tryIt = () => {
    own.tryTime.value = true;
  };
  return (
    <>
      {isShort(path) && (
        <>
          <p>{t('askForTime')}</p>
          <p class="actions">
            <Button name="notice-time" class="main" onClick={tryIt}>
              {t('timeTry')}
            </Button>
          </p>
        </>
      )}
      {dismissed > 0 && (
        <>
          <p>{t('dismissedAll', { n: dismissed })}</p>
          <p class="actions">
            <Button name="notice-statements" class={isShort(path) ? undefined : 'main'} onClick={() => goTo('statements-title')}>
              {t('statementsTitle')}
            </Button>
          </p>
        </>
      )}
    </>
  );
}

/** Whether a course that would close a gap does not fit into the time. */
const isShort = (path: LearningPath): boolean => path.open.some((gap) => gap.cause === 'budget');

/** The notices about a path, if there are any. */
function Notice({ path, own: officer }: { path: LearningPath; own: Visit | undefined }): JSX.Element | null {
  const own = <Localized as="p" text={path.reason} />;
  const notice = (title: Key, why: JSX.Element) => (
    <div class={`notice ${path.status}`}>
      <h2>{t(title)}</h2>
      {why}
    </div>
  );
  if (path.status === 'waiting_for_framework') return notice('waitingFramework', own);
  if (path.status === 'refused') return notice('refused', own);
  if (path.status === 'provisional') {
    return notice(
      'provisional',
      <>
        <p>{t('provisionalWhy')}</p>
        {officer && (
          <p class="actions">
            <Button name="notice-assess" class="main" onClick={() => goTo('assessment-title')}>
              {t('assessTitle')}
            </Button>
          </p>
        )}
        {officer && path.steps.length === 0 && <WayOut path={path} own={officer} />}
      </>,
    );
  }
  if (path.steps.length > 0) return null;
  if (path.open.length === 0) return notice('complete', <p>{t('completeWhy')}</p>);
  if (path.open.every((gap) => gap.cause === 'too_small')) return notice('complete', own);
  return notice(
    isShort(path) ? 'nothingInTime' : 'nothing',
    <>
      {own}
      {officer && <WayOut path={path} own={officer} />}
    </>,
  );
}

interface SummaryProps {
  recommended: Recommended;
  framework: Framework | undefined;
  title: string;
  whose: JSX.Element | null;
  /** What to do next; shown above everything else. */
  next: JSX.Element;
  /** Whether the framework could not be fetched, so that ids are shown instead of names. */
  namesFailed?: boolean;
  /** The visit of its officer; undefined if somebody else reads it. */
  own?: Visit | undefined;
  children?: ComponentChildren;
}

/** The totals of the path: courses, hours, and how many required skills are reached. */
function Sentence({ path }: { path: LearningPath }): JSX.Element | null {
  const { steps, gaps, hours } = path;
  if (steps.length === 0) return null;
  const met = (level: (gap: Gap) => number) => gaps.filter((gap) => meets(level(gap), gap.required)).length;
  const whole = {
    courses: <strong>{t('courses', { n: steps.length })}</strong>,
    hours: <strong>{t('hours', { n: tenths(hours) })}</strong>,
  };
  const now = met((gap) => gap.level);
  const reached = met((gap) => gap.reached);
  return (
    <p class="sentence">
      {rich('summary', whole)}{' '}
      {gaps.length > 0 && rich('summarySkills', { now, reached: <strong>{reached}</strong>, all: gaps.length })}
    </p>
  );
}

/** The head of the page; children are shown before its facts, whose names arrive with the framework without moving anything. */
export function Summary({ recommended, framework, namesFailed = false, title, whose, next, own, children }: SummaryProps): JSX.Element {
  const { path } = recommended;
  return (
    <section class="summary" aria-labelledby="page-title">
      {whose}
      <h1 id="page-title">{title}</h1>
      <Notice path={path} own={own} />
      {next}
      <Sentence path={path} />
      {(path.steps.length > 0 || path.status === 'provisional') && <Missing path={path} />}
      <AfterPaint>
        {() => (
          <>
            {children}
            <Facts recommended={recommended} framework={framework} />
            {namesFailed && (
              <p class="quiet" id="names-failed" role="status">
                {t('namesFailed')}
              </p>
            )}
          </>
        )}
      </AfterPaint>
    </section>
  );
}
