/** Feedback about courses: the buttons of each step, and the list of the statements. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Action, Course, FeedbackPage, LearningPath, Statement, Step } from '../api';
import { day } from '../formats';
import { Localized, t } from '../i18n';
import { About, Button, DateField, Disclosure, field, noonOf, printing, Section, today, Wrong } from '../ui';
import type { Visit } from './visit';

const CHOICES = ['pin', 'not_now', 'not_relevant'] as const;
const GROUPS = ['not_relevant', 'not_now', 'pin', 'started', 'completed'] as const;

/** How many statements of a group are shown at first, and how many more at each request. */
const AT_FIRST = 30;
const AT_A_TIME = 50;

type Stated = Exclude<Action, 'undo'>;
type Titled = Pick<Course, 'id' | 'title'>;

/** Return course id -> the newest current statement about it. */
export const statements = (feedback: FeedbackPage | undefined): Map<string, Statement> =>
  new Map((feedback?.statements ?? []).map((one) => [one.course, one]));

interface FeedbackButtonProps {
  visit: Visit;
  course: Titled;
  action: Stated;
}

function FeedbackButton({ visit, course, action }: FeedbackButtonProps): JSX.Element {
  return (
    <Button name={`${action}-${course.id}`} busy={visit.isBusy('feedback')} onClick={() => visit.giveFeedback(course, action)}>
      {t(`actions.${action}`)}
      <About title={course.title} />
    </Button>
  );
}

function Undo({ visit, course, place }: { visit: Visit; course: Titled; place: string }): JSX.Element {
  return (
    <Button
      name={`undo-${place}-${course.id}`}
      busy={visit.isBusy('feedback')}
      onClick={() => visit.giveFeedback(course, 'undo')}
    >
      {t('undo')}
      <About title={course.title} />
    </Button>
  );
}

/** Asks when a course was finished: today, or a day before. */
function Finished({ visit, course }: { visit: Visit; course: Titled }): JSX.Element {
  const wrong = useSignal(false);
  const id = `finished-${course.id}`;
  useLayoutEffect(() => field(id).focus(), [id]);
  const send = async (event: Event) => {
    event.preventDefault();
    const { validity, value } = field(id);
    if (validity.valid && value) await visit.giveFeedback(course, 'completed', value === today() ? undefined : noonOf(value));
    else {
      wrong.value = true;
      field(id).focus();
    }
  };
  return (
    <form class="finished" noValidate onSubmit={send}>
      <DateField
        id={id}
        label={t('finishedOn')}
        value={today()}
        max={today()}
        required
        wrong={wrong.value ? `${id}-wrong` : undefined}
      />
      <Wrong id={`${id}-wrong`}>{wrong.value && t('finishedWrong')}</Wrong>
      <Button name={`completed-${course.id}`} class="main" submit busy={visit.isBusy('feedback')}>
        {t('finishedSave')}
        <About title={course.title} />
      </Button>
    </form>
  );
}

interface StepProps {
  step: Step;
  visit: Visit;
}

/**
 * Shows why a step was fixed in the path before optimization. A required course brings its prerequisites
 * with it; a step that unlocks another required one may be either.
 */
export function SeedMark({ step, path, visit }: { step: Step; path: LearningPath; visit: Visit | undefined }): JSX.Element | null {
  const { course, origin, unlocks = [] } = step;
  const feedback = visit?.feedback.value;
  const stated = !feedback || statements(feedback).has(course.id);
  if (!origin || (stated && origin !== 'mandatory')) return null;
  const opens = origin === 'mandatory' && path.steps.some((one) => one.origin === origin && unlocks.includes(one.course.id));
  return (
    <p class="origin">
      <span class="mark">{t(`origins.${opens ? 'opens' : origin}`)}</span>
    </p>
  );
}

/** The feedback buttons of a step. */
export function StepFeedback({ step, visit }: StepProps): JSX.Element {
  const { course, origin } = step;
  const open = useSignal(false);
  const held = statements(visit.feedback.value).get(course.id)?.action;
  const last = visit.lastFeedback.value;
  const stored = last?.taken && last.course.id === course.id ? last : undefined;
  useEffect(() => {
    if (stored) open.value = false;
  }, [stored, open]);
  const choices = CHOICES.filter((action) => action !== held && !(origin === 'mandatory' && action === 'not_relevant'));
  return (
    <div class="feedback" role="group" aria-label={t('feedbackLabel')}>
      {held && (
        <p class="statement">
          <span class="mark">{t(`statementMarks.${held}`)}</span> <Undo visit={visit} course={course} place="step" />
        </p>
      )}
      <p class="actions">
        {held !== 'started' && <FeedbackButton visit={visit} course={course} action="started" />}
        <Button
          name={`finish-${course.id}`}
          aria-expanded={open.value}
          onClick={() => {
            open.value = !open.value;
          }}
        >
          {t('actions.completed')}
          <About title={course.title} />
        </Button>
      </p>
      {open.value && <Finished visit={visit} course={course} />}
      <Disclosure
        name={`choices-${course.id}`}
        summary={
          <>
            {t('moreChoices')}
            <About title={course.title} />
          </>
        }
      >
        {() => (
          <ul class="choices">
            {choices.map((action) => (
              <li key={action}>
                <FeedbackButton visit={visit} course={course} action={action} />
                <span class="quiet">{t(`actionWhy.${action}`)}</span>
              </li>
            ))}
          </ul>
        )}
      </Disclosure>
    </div>
  );
}

function Entry({ one, visit }: { one: Statement; visit: Visit }): JSX.Element {
  const course = { id: one.course, title: one.title ?? { en: one.course } };
  return (
    <li data-statement={course.id}>
      <p>
        <Localized as="strong" text={course.title} />{' '}
        <time class="quiet" dateTime={one.at}>
          {t('statedOn', { day: day(one.at) })}
        </time>
      </p>
      <Undo visit={visit} course={course} place="list" />
    </li>
  );
}

/** The current statements of one kind, the newest first; a long list is shown in parts. */
function Group({ action, all, visit }: { action: Stated; all: Statement[]; visit: Visit }): JSX.Element {
  const requested = useSignal(AT_FIRST);
  const list = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => {
    const first = requested.value - AT_A_TIME; // the button that asked for it stands further down now
    if (first > 0) list.current?.children[first]?.querySelector('button')?.focus({ preventScroll: true });
  }, [requested.value]);
  const count = printing.value ? all.length : requested.value;
  const rest = all.length - count;
  return (
    <div>
      <h3>{t(`statementGroups.${action}`)}</h3>
      <ul class="plain" ref={list}>
        {all.slice(0, count).map((one) => (
          <Entry key={one.course} one={one} visit={visit} />
        ))}
      </ul>
      {rest > 0 && (
        <p class="actions">
          <Button
            name={`statements-more-${action}`}
            onClick={() => {
              requested.value += AT_A_TIME;
            }}
          >
            {t('stepsMore', { n: Math.min(rest, AT_A_TIME) })}
          </Button>
          <span class="quiet">{t('statementsRest', { n: rest })}</span>
        </p>
      )}
    </div>
  );
}

/** The section that lists all current statements, each with its undo button. */
export function Statements({ visit }: { visit: Visit }): JSX.Element {
  const { value: feedback } = visit.feedback;
  const held = [...statements(feedback).values()].sort((a, b) => b.sequence - a.sequence);
  const groups = GROUPS.filter((action) => held.some((one) => one.action === action));
  return (
    <Section name="statements" title="statementsTitle" why="statementsWhy" target>
      {visit.feedbackFailed.value && (
        <p class="wrong" role="alert">
          {t('statementsFailed')}{' '}
          <Button name="statements-again" onClick={() => visit.reload()}>
            {t('again')}
          </Button>
        </p>
      )}
      {feedback && groups.length === 0 && <p>{t('statementsNone')}</p>}
      {groups.map((action) => (
        <Group key={action} action={action} all={held.filter((one) => one.action === action)} visit={visit} />
      ))}
    </Section>
  );
}
