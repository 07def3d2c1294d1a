/** "What if…?": the path for another job group, stage, time or completed courses, compared with the current one. Not stored. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect } from 'preact/hooks';
import * as api from '../api';
import { asApiError, Refusal } from '../errors';
import { decimal, percent, signed, tenths } from '../formats';
import { type Key, Localized, localize, t, type Text } from '../i18n';
import { goTo, focusOn } from '../shell';
import { readWholeTime, TimeFields } from '../time_fields';
import { About, Button, Disclosure, field, Section, Wrong } from '../ui';
import { compare } from './changes';
import { CoursePicker } from './course_picker';
import { CoverageBar } from './coverage';
import { ENDLESS, Fit } from './study_time';
import { titleOf } from './summary';
import type { Visit } from './visit';

const TIMES = ['same', 'unlimited', 'total', 'weekly'] as const;
type Time = (typeof TIMES)[number];
type Budget = Pick<api.WhatIf, 'budget_hours' | 'weekly_hours' | 'deadline'>;
interface WrongEntry {
  wrong: Key;
  blamed: 'total' | 'weekly' | 'deadline';
}

/** Return the request's fields about time, or what is wrong with the entries. */
function readBudget(time: Time): Budget | WrongEntry {
  if (time === 'same') return {};
  if (time === 'unlimited') return { budget_hours: ENDLESS };
  if (time === 'total') {
    const { value } = field('what-if-total');
    const total = Number(value);
    return value !== '' && total >= 0 && total <= ENDLESS ? { budget_hours: total } : { wrong: 'totalWrong', blamed: 'total' };
  }
  const entered = readWholeTime('what-if');
  return 'wrong' in entered ? entered : { weekly_hours: entered.weekly, deadline: entered.deadline };
}

interface ChoiceProps {
  kind: 'jobGroup' | 'stage' | 'myTime';
  options: [string, string][];
  initial: string;
  onChoice?: (value: string) => void;
}

function Choice({ kind, options, initial, onChoice }: ChoiceProps): JSX.Element {
  const chosen = useSignal(initial);
  const id = `what-if-${kind}`;
  useEffect(() => {
    chosen.value = initial;
  }, [chosen, initial]);
  return (
    <div>
      <label for={id}>{t(kind)}</label>
      <select
        id={id}
        data-keep={id}
        value={chosen.value}
        onChange={(event) => {
          chosen.value = event.currentTarget.value;
          onChoice?.(chosen.value);
        }}
      >
        {options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

const named = (entries: { id: string; title: Text }[]): [string, string][] =>
  entries.map(({ id, title }) => [id, localize(title).words]);

function TotalField({ wrong }: { wrong: boolean }): JSX.Element {
  return (
    <div>
      <label for="what-if-total">{t('totalHours')}</label>
      <input
        id="what-if-total"
        type="number"
        inputMode="decimal"
        min="0"
        step="any"
        data-keep="what-if-total"
        aria-invalid={wrong ? 'true' : undefined}
        aria-describedby={wrong ? 'what-if-wrong' : undefined}
      />
    </div>
  );
}

interface FormProps {
  visit: Visit;
  path: api.LearningPath;
  framework: api.Framework;
  profile: api.Profile;
  onAnswer: (path: api.LearningPath | undefined) => void;
}

function Taken({ courses, onRemove }: { courses: api.Course[]; onRemove: (course: api.Course) => void }): JSX.Element | null {
  if (courses.length === 0) return null;
  return (
    <ul class="plain took">
      {courses.map((course) => (
        <li key={course.id}>
          <Localized text={course.title} />{' '}
          <Button name={`untake-${course.id}`} onClick={() => onRemove(course)}>
            {t('takeOut')}
            <About title={course.title} />
          </Button>
        </li>
      ))}
    </ul>
  );
}

function Form({ visit, path, framework, profile, onAnswer }: FormProps): JSX.Element {
  const time = useSignal<Time>('same');
  const took = useSignal<api.Course[]>([]);
  const complaint = useSignal<WrongEntry | undefined>(undefined);
  const error = useSignal<api.ApiError | undefined>(undefined);
  const busy = useSignal(false);
  const requested = visit.tryTime.value;
  const chosenTime = time.value;
  useLayoutEffect(() => {
    if (!requested) return;
    time.value = 'weekly';
    if (chosenTime !== 'weekly') return; // its fields are there the next time
    visit.tryTime.value = false;
    goTo('what-if-weekly');
  }, [requested, chosenTime, time, visit]);
  const send = async (event: Event) => {
    event.preventDefault();
    const budget = readBudget(time.value);
    complaint.value = 'wrong' in budget ? budget : undefined;
    if ('wrong' in budget) {
      field(`what-if-${budget.blamed}`).focus();
      return;
    }
    error.value = undefined;
    busy.value = true;
    try {
      const stage = document.getElementById('what-if-stage') ? field('what-if-stage').value : '';
      const answer = await api.recommend({
        compare_with: visit.officer,
        job_group: field('what-if-jobGroup').value,
        stage: stage || null,
        completed: took.value.map((course) => course.id),
        ...budget,
      });
      onAnswer(answer.path);
    } catch (thrown) {
      error.value = asApiError(thrown);
      onAnswer(undefined);
    } finally {
      busy.value = false;
    }
  };
  const stages: [string, string][] = [...(profile.stage ? [] : [['', t('anyStage')] as [string, string]]), ...named(framework.stages ?? [])];
  const wrong = complaint.value;
  return (
    <form noValidate onSubmit={send}>
      <div class="fields">
        <Choice kind="jobGroup" options={named(framework.job_groups)} initial={profile.job_group} />
        {stages.length > 1 && <Choice kind="stage" options={stages} initial={profile.stage ?? ''} />}
        <Choice
          kind="myTime"
          options={TIMES.map((one) => [one, t(`times.${one}`)])}
          initial={time.value}
          onChoice={(value) => {
            time.value = TIMES.find((one) => one === value) ?? 'same';
          }}
        />
        {time.value === 'total' && <TotalField wrong={wrong?.blamed === 'total'} />}
      </div>
      {time.value === 'weekly' && (
        <TimeFields form="what-if" stored={profile} blamed={wrong?.blamed} />
      )}
      <Disclosure name="what-if-took" summary={t('alreadyTook') + (took.value.length > 0 ? ` (${took.value.length})` : '')}>
        {() => (
          <>
            <CoursePicker
              name="took"
              framework={framework}
              path={path}
              label="alreadyTookAdd"
              inPath
              onPick={(course) => {
                took.value = [...took.value.filter((other) => other.id !== course.id), course];
              }}
            />
            <Taken
              courses={took.value}
              onRemove={(course) => {
                took.value = took.value.filter((other) => other.id !== course.id);
              }}
            />
          </>
        )}
      </Disclosure>
      <Wrong id="what-if-wrong">
        {wrong && t(wrong.wrong)}
        {error.value && <Refusal error={error.value} />}
      </Wrong>
      <Button name="what-if-send" class="main" submit busy={busy.value}>
        {t(busy.value ? 'trying' : 'tryIt')}
      </Button>
    </form>
  );
}

type Marks = Map<string, 'Removed' | 'New' | 'Moved'>;
const CLASSES = { Removed: 'removed', New: 'new', Moved: 'moved' } as const;

interface RouteProps {
  heading: 'present' | 'imagined';
  path: api.LearningPath;
  framework: api.Framework;
  marks: Marks;
}

function Route({ heading, path, framework, marks }: RouteProps): JSX.Element {
  return (
    <section class="route" aria-label={t(heading)}>
      <h4>{t(heading)}</h4>
      <p class="quiet">
        <Localized text={titleOf(framework.job_groups, path.job_group)} />
        {path.stage && (
          <>
            {' · '}
            <Localized text={titleOf(framework.stages, path.stage)} />
          </>
        )}
      </p>
      <p>
        <strong>{t('courses', { n: path.steps.length })}</strong> · <strong>{t('hours', { n: tenths(path.hours) })}</strong>
      </p>
      {path.gaps.length > 0 && <CoverageBar coverage={path.coverage} />}
      {path.steps.length === 0 && <Localized as="p" text={path.reason} />}
      <ol>
        {path.steps.map(({ course }) => {
          const mark = marks.get(course.id);
          return (
            <li key={course.id} class={mark && CLASSES[mark]} data-course={course.id}>
              <Localized text={course.title} /> <span class="quiet">({t('hours', { n: tenths(course.hours) })})</span>
              {mark && (
                <>
                  {' '}
                  <span class="mark">{t(`mark${mark}`)}</span>
                </>
              )}
            </li>
          );
        })}
      </ol>
      {path.open.length > 0 && <p class="quiet">{t('stillOpen', { n: path.open.length })}</p>}
    </section>
  );
}

interface ResultProps {
  path: api.LearningPath;
  tried: api.LearningPath;
  framework: api.Framework;
  children: ComponentChildren;
}

function Result({ path, tried, framework, children }: ResultProps): JSX.Element {
  const { added, removed, moved } = compare(path, tried);
  const kinds = [['added', added], ['removed', removed], ['moved', moved]] as const;
  const sentences = kinds.filter(([, courses]) => courses.length > 0).map(([kind, courses]) => t(kind, { n: courses.length }));
  const by = tried.hours - path.hours;
  useLayoutEffect(() => goTo('what-if-result'), [tried]);
  return (
    <div class="tried">
      <h3 id="what-if-result" tabIndex={-1}>
        {t('tried')}
      </h3>
      <p class="not-stored">{t('notStored')}</p>
      <ul class="tried-words">
        {(sentences.length > 0 ? sentences : [t('sameCourses')]).map((words) => (
          <li key={words}>{words}</li>
        ))}
        {by !== 0 && <li>{t('hoursChange', { from: decimal(path.hours), to: decimal(tried.hours), by: signed(by) })}</li>}
        <li>{t('reachedChange', { from: percent(path.coverage.after), to: percent(tried.coverage.after) })}</li>
      </ul>
      <Fit path={tried} />
      <div class="routes">
        <Route heading="present" path={path} framework={framework} marks={new Map(removed.map((one) => [one.id, 'Removed']))} />
        <Route
          heading="imagined"
          path={tried}
          framework={framework}
          marks={
            new Map([
              ...added.map((one) => [one.id, 'New'] as const),
              ...moved.map((one) => [one.id, 'Moved'] as const),
            ])
          }
        />
      </div>
      {children}
    </div>
  );
}

/** The what-if section. */
export function WhatIf({ visit, path, framework }: Omit<FormProps, 'profile' | 'onAnswer'>): JSX.Element {
  const tried = useSignal<api.LearningPath | undefined>(undefined);
  const { value: profile } = visit.profile;
  const { value: failed } = visit.profileFailed;
  const close = () => {
    tried.value = undefined;
    focusOn('what-if-title');
  };
  return (
    <Section name="what-if" title="whatIf" why="whatIfWhy" target>
      {profile ? (
        <Form
          visit={visit}
          path={path}
          framework={framework}
          profile={profile}
          onAnswer={(found) => {
            tried.value = found;
          }}
        />
      ) : (
        <p class="quiet">{failed ? <Refusal error={failed} /> : t('loading')}</p>
      )}
      {tried.value && (
        <Result path={path} tried={tried.value} framework={framework}>
          <Button name="what-if-close" onClick={close}>
            {t('triedClose')}
          </Button>
        </Result>
      )}
    </Section>
  );
}
