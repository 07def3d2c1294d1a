/** The path as an ordered list, by week if the officer's hours are known. */

import { useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { webAddress } from '../address';
import type { CourseCard, Framework, LearningPath, Recommended, Step } from '../api';
import { saveFile } from '../files';
import { decimal, languageName, percent, shortDay, tenths } from '../formats';
import { Localized, localize, rich, t } from '../i18n';
import { usePlaced } from '../place';
import { focusOn } from '../shell';
import { About, AfterPaint, Button, printing } from '../ui';
import { calendarOf } from './calendar';
import { SeedMark, StepFeedback } from './feedback';
import { startedFirst } from './next_step';
import { StepDetails } from './step_details';
import type { Visit } from './visit';
import { type Span, spans, sundayOf, type Week, weeksOf } from './weeks';

type Mark = 'new' | 'moved' | undefined;

/** How many steps of a long path are shown at first, and how many more at each request. */
const AT_FIRST = 30;
const AT_A_TIME = 50;

/** Return the share of the requirement held after each step, 0 to 1; the contributions add up to the whole. */
function sharesAfter(path: LearningPath): number[] {
  const { before, after, gained } = path.coverage;
  let sum = 0;
  return path.steps.map((step) => {
    sum += step.closes.reduce((total, close) => total + close.contribution, 0);
    return gained > 0 ? before + ((after - before) * Math.min(sum, gained)) / gained : before;
  });
}

function AboutCourse({ course, weeks }: { course: CourseCard; weeks: number }): JSX.Element {
  const languages = course.languages.map(languageName).join(', ');
  return (
    <p class="about">
      <strong>{t('hours', { n: tenths(course.hours) })}</strong> · <Localized text={course.provider} />
      {languages && ` · ${languages}`}
      {weeks > 1 && ` · ${t('takesWeeks', { n: weeks })}`}
    </p>
  );
}

interface CardProps {
  step: Step;
  share: number;
  /** How many weeks the course takes. */
  weeks: number;
  /** The week that begins with this step. */
  week: Week | undefined;
  mark: Mark;
  path: LearningPath;
  framework: () => Framework | undefined;
  /** Undefined for a reader who may not change anything. */
  visit: Visit | undefined;
}

function Card({ step, share, weeks, week, mark, path, framework, visit }: CardProps): JSX.Element {
  const { course } = step;
  const url = webAddress(course.url);
  return (
    <>
      {week && <WeekTitle week={week} />}
      <article class="card">
        <span class="number" aria-hidden="true">
          {step.position}
        </span>
        <h3 id={`step-${course.id}`} tabIndex={-1}>
          <span class="unseen">{t('step', { n: step.position })}: </span>
          <Localized text={course.title} />
          {mark && (
            <>
              {' '}
              <span class="mark">{t(mark === 'new' ? 'stepNew' : 'stepMoved')}</span>
            </>
          )}
        </h3>
        <AboutCourse course={course} weeks={weeks} />
        <SeedMark step={step} path={path} visit={visit} />
        <Localized as="p" text={step.reason} class="reason" />
        {url && (
          <p class="go">
            <a href={url} rel="noopener noreferrer" data-keep={`go-${course.id}`}>
              {t('openCourse')}
              <About title={course.title} />
            </a>
          </p>
        )}
        <StepDetails step={step} path={path} framework={framework} visit={visit} />
        {visit && <StepFeedback step={step} visit={visit} />}
        <p class="so-far">
          <progress max={1} value={path.hours > 0 ? step.cumulative_hours / path.hours : 0} aria-hidden="true" />
          <span>{t('soFar', { hours: decimal(step.cumulative_hours), all: decimal(path.hours) })}</span>
          <span>{t('soFarShare', { share: percent(share) })}</span>
        </p>
      </article>
    </>
  );
}

function WeekTitle({ week }: { week: Week }): JSX.Element {
  const name = week.index === 0 ? t('weekThis') : week.index === 1 ? t('weekNext') : t('weekNumber', { n: week.index + 1 });
  return (
    <p class="week">
      <strong>{name}</strong>{' '}
      <span class="quiet">{t('weekDays', { from: shortDay(week.monday), to: shortDay(sundayOf(week.monday)) })}</span>
    </p>
  );
}

interface TakeAlongProps {
  path: LearningPath;
  weekly: number | undefined;
  visit: Visit | undefined;
}

/** Buttons that save the plan as a calendar file, if the hours a week are known, and print it. */
function TakeAlong({ path, weekly, visit }: TakeAlongProps): JSX.Element {
  const save = (hours: number, officer: string) => {
    const write = ({ course, reason }: Step) => ({
      title: `${localize(course.title).words} (${t('hours', { n: tenths(course.hours) })})`,
      words: localize(reason).words,
      url: webAddress(course.url),
    });
    const text = calendarOf(path.steps, hours, new Date(), { officer, write });
    saveFile('learning-path.ics', 'text/calendar', text);
  };
  return (
    <p class="actions take-along">
      {weekly && visit && (
        <Button name="calendar" class="small" onClick={() => save(weekly, visit.officer)}>
          {t('calendarFile')}
        </Button>
      )}
      <Button name="print" class="small" onClick={() => window.print()}>
        {t('printPath')}
      </Button>
    </p>
  );
}

const weeksTaken = (span: Span | undefined): number => (span ? span.last - span.first + 1 : 1);

interface StepsProps {
  recommended: Recommended;
  framework: () => Framework | undefined;
  /** The hours a week, if they are known. */
  weekly: number | undefined;
  visit: Visit | undefined;
}

/** The section of the path; courses that the last change added or moved are marked. */
export function Steps({ recommended, framework, weekly, visit }: StepsProps): JSX.Element {
  const { path } = recommended;
  const requested = usePlaced('steps', AT_FIRST);
  const before = useRef(requested.value);
  const next = useComputed(() => startedFirst(path, visit)); // the head of the page leads to it
  const count = printing.value ? path.steps.length : Math.max(requested.value, next.value + 1);
  const rest = path.steps.length - count;
  useLayoutEffect(() => {
    const first = path.steps[requested.value - AT_A_TIME];
    const isSame = before.current === requested.value;
    before.current = requested.value;
    if (first && !isSame) focusOn(`step-${first.course.id}`); // the button that asked for it stands further down now
    // eslint-disable-next-line react-hooks/exhaustive-deps -- where more were requested only
  }, [requested.value]);
  const shares = sharesAfter(path);
  const weeks = weekly ? weeksOf(path.steps, weekly, new Date()) : [];
  const studied = weekly ? spans(path.steps, weekly) : [];
  const difference = visit?.waiting.value ? undefined : visit?.change.value?.difference;
  const isIn = (courses: CourseCard[] | undefined, id: string) => courses?.some((course) => course.id === id);
  const markOf = (id: string): Mark =>
    isIn(difference?.added, id) ? 'new' : isIn(difference?.moved, id) ? 'moved' : undefined;
  const card = (step: Step, i: number) => (
    <Card
      step={step}
      share={shares[i] ?? 0}
      weeks={weeksTaken(studied[i])}
      week={weeks.find((one) => one.steps[0] === step)}
      mark={markOf(step.course.id)}
      path={path}
      framework={framework}
      visit={visit}
    />
  );
  return (
    <section class="path" aria-labelledby="path-title">
      <h2 id="path-title">{t('path')}</h2>
      <TakeAlong path={path} weekly={weekly} visit={visit} />
      <p class="quiet">{weekly ? t('pathWeeks', { hours: tenths(weekly) }) : t('pathWhy')}</p>
      <p class="station start">{rich('start', { share: <strong>{percent(path.coverage.before)}</strong> })}</p>
      <ol class="steps">
        {path.steps.slice(0, count).map((step, i) => {
          const { id } = step.course;
          const mark = markOf(id);
          return (
            <li key={id} class={mark ? `step ${mark}` : 'step'} data-course={id} value={step.position}>
              <AfterPaint first={i === requested.value - AT_A_TIME}>{() => card(step, i)}</AfterPaint>
            </li>
          );
        })}
      </ol>
      {rest > 0 && (
        <p class="step rest">
          <Button
            name="steps-more"
            onClick={() => {
              requested.value = count + AT_A_TIME;
            }}
          >
            {t('stepsMore', { n: Math.min(rest, AT_A_TIME) })}
          </Button>{' '}
          <span class="quiet">{t('stepsRest', { n: rest })}</span>
        </p>
      )}
      <p class="station finish">{rich('finish', { share: <strong>{percent(path.coverage.after)}</strong> })}</p>
    </section>
  );
}
