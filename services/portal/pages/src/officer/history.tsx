/** The officer's history: finished courses, levels at the assessments, and earlier paths. Fetched when it is opened. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import * as api from '../api';
import { type Query, useQuery } from '../query';
import { FigureTable } from '../charts';
import { Refusal } from '../errors';
import { day, decimal, momentOf, month, percent, shortDay, signed, year } from '../formats';
import { type Key, language, Localized, t, type Text } from '../i18n';
import { focusOn } from '../shell';
import { Button, Wrong } from '../ui';
import { byPeriod, ends, finished, type Moved, movements, spread } from './past';
import type { Visit } from './visit';

const MOST_MOMENTS = 6; // each is a request
const PAGE = 10; // paths
const ALL = 100; // paths: more than are kept
const UNSEEN = 0.05; // levels: less than what the page shows

type Loaded<T> = Pick<Query<T>, 'value' | 'error' | 'again'>;

interface PartProps<T> {
  name: string;
  title: Key;
  why?: Key;
  loaded: Loaded<T>;
  children: (value: T) => JSX.Element;
}

function Part<T>({ name, title, why, loaded, children }: PartProps<T>): JSX.Element {
  return (
    <section class="past" aria-labelledby={`${name}-title`} aria-busy={!loaded.value && !loaded.error}>
      <h3 id={`${name}-title`}>{t(title)}</h3>
      {why && <p class="quiet">{t(why)}</p>}
      {loaded.value !== undefined && children(loaded.value)}
      {loaded.value === undefined && !loaded.error && <p class="quiet">{t('loading')}</p>}
      <Wrong id={`${name}-wrong`}>
        {loaded.error && (
          <>
            <Refusal error={loaded.error} special={{ 404: 'historyFailed' }} />{' '}
            <Button name={`${name}-again`} onClick={loaded.again}>
              {t('again')}
            </Button>
          </>
        )}
      </Wrong>
    </section>
  );
}

function Track({ children }: { children?: ComponentChildren }): JSX.Element {
  return (
    <svg class="bar" height={14} aria-hidden="true">
      <rect class="track" x={0} y={2} width="100%" height={10} rx={5} />
      {children}
    </svg>
  );
}

const wide = (part: number, whole: number): string => `${((100 * Math.min(part, whole)) / (whole || 1)).toFixed(2)}%`;

// --- courses that were finished

function Finished({ statements }: Pick<api.FeedbackPage, 'statements'>): JSX.Element {
  const all = finished(statements);
  const periods = byPeriod(all);
  const most = Math.max(0, ...periods.map(({ n }) => n));
  if (all.length === 0) return <p>{t('historyFinishedNone')}</p>;
  return (
    <>
      <ul class="plain">
        {periods.map(({ kind, begin, n }) => (
          <li key={begin.getTime()}>
            {t('historyFinishedCount', { period: kind === 'month' ? month(begin) : year(begin), n })}
            <Track>
              <rect class="now" x={0} y={2} width={wide(n, most)} height={10} rx={5} />
            </Track>
          </li>
        ))}
      </ul>
      <FigureTable
        name="finished"
        label={t('historyFinished')}
        heads={[t('historyCourse'), t('historyDay')]}
        rows={() => all.map((one) => ({ id: String(one.sequence), title: one.title ?? { en: one.course }, cells: [day(one.at)] }))}
      />
    </>
  );
}

// --- levels

interface Levels {
  moments: string[];
  moved: Moved[];
}

async function readLevels(officer: string, framework: string): Promise<Levels> {
  const { assessments } = await api.readAssessments(officer);
  const taken = assessments.filter((one) => one.framework === framework).map((one) => one.taken_at);
  const moments = spread(taken, MOST_MOMENTS);
  const profiles = await Promise.all(moments.map((at) => api.readProfileAt(officer, at)));
  return { moments, moved: movements(profiles, framework) };
}

function levelWords(levels: Moved['levels']): string {
  const { from, to, once } = ends(levels);
  if (once) return t('historyLevelNew', { level: decimal(to) });
  if (Math.abs(to - from) < UNSEEN) return t('historyLevelSame', { level: decimal(to) });
  return t('historyLevel', { from: decimal(from), to: decimal(to), by: signed(to - from) });
}

function LevelsMoved({ levels, framework }: { levels: Levels; framework: api.Framework | undefined }): JSX.Element {
  const { moments, moved } = levels;
  if (moved.length === 0) return <p>{t('historyLevelsNone')}</p>;
  const titles = new Map<string, Text>((framework?.skills ?? []).map((one) => [one.id, one.title]));
  const titleOf = (skill: string): Text => titles.get(skill) ?? { en: skill };
  const scale = (framework?.scale ?? []).map((step) => step.level);
  const top = Math.max(1, ...scale, ...moved.flatMap((one) => one.levels.filter((level) => level !== undefined)));
  return (
    <>
      <ul class="plain">
        {moved.map(({ skill, levels: known }) => {
          const { from, to } = ends(known);
          return (
            <li key={skill}>
              <span class="gap-title">
                <Localized as="strong" text={titleOf(skill)} />
                <span>{levelWords(known)}</span>
              </span>
              <span class="past-dots">
                <Track>
                  <line class="now-line" x1={wide(from, top)} x2={wide(to, top)} y1={7} y2={7} />
                  <circle class="now assumed" cx={wide(from, top)} cy={7} r={6} />
                  <circle class="now" cx={wide(to, top)} cy={7} r={5} />
                </Track>
              </span>
            </li>
          );
        })}
      </ul>
      <FigureTable
        name="levels"
        label={t('historyLevels')}
        heads={[t('skill'), ...moments.map((at) => day(at))]}
        rows={() => moved.map(({ skill, levels: known }) => ({
          id: skill,
          title: titleOf(skill),
          cells: known.map((level) => (level === undefined ? t('historyNoLevel') : decimal(level))),
        }))}
      />
    </>
  );
}

// --- paths

function PastPath({ one }: { one: api.PathRevision }): JSX.Element {
  const { before, after } = one.coverage;
  const words = t('historyPath', {
    courses: t('courses', { n: one.steps.length }),
    hours: t('hours', { n: one.hours }),
    now: percent(before),
    reached: percent(after),
  });
  return (
    <li id={`past-path-${one.revision}`} tabIndex={-1}>
      <strong>{day(one.planned_at)}</strong> {t(`because.${one.cause}`)}
      <Track>
        <rect class="reached" x={0} y={2} width={wide(after, 1)} height={10} rx={5} />
        <rect class="now" x={0} y={2} width={wide(before, 1)} height={10} rx={5} />
      </Track>
      <span class="gap-words">{words}</span>
      {one.steps.length > 0 && (
        <details data-keep={`past-${one.revision}`}>
          <summary>
            {t('historyShowCourses')}
            <span class="unseen"> {shortDay(momentOf(one.planned_at))}</span>
          </summary>
          <ol>
            {one.steps.map((step) => (
              <li key={step.course}>
                <Localized text={step.title} /> · {t('hours', { n: step.hours })}
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

const HEADS: Key[] = ['historyMade', 'historyReason', 'historyCourses', 'historyHours', 'today', 'afterAll'];

function PastPaths({ paths }: { paths: api.PathRevision[] }): JSX.Element {
  return (
    <>
      <ol class="plain">
        {paths.map((one) => (
          <PastPath key={one.revision} one={one} />
        ))}
      </ol>
      <FigureTable
        name="paths"
        label={t('historyPaths')}
        heads={HEADS.map((head) => t(head))}
        rows={() => paths.map((one) => ({
          id: String(one.revision),
          title: { [language()]: day(one.planned_at) },
          cells: [
            ...[t(`because.${one.cause}`), decimal(one.steps.length), decimal(one.hours)],
            ...[percent(one.coverage.before), percent(one.coverage.after)],
          ],
        }))}
      />
    </>
  );
}

/** The history of the officer whose page is open. */
export default function History({ visit }: { visit: Visit }): JSX.Element {
  const { officer } = visit;
  const path = visit.recommended.value;
  const revision = path?.revision ?? 0;
  const known = path?.path.framework ?? '';
  const most = useSignal(PAGE);
  const feedback = { value: visit.feedback.value, error: visit.feedbackFailed.value, again: () => visit.reload() };
  const levels = useQuery(() => readLevels(officer, known), [officer, known, visit.profile.value?.sequence]);
  const paths = useQuery(() => api.readPaths(officer, most.value), [officer, revision, most.value]);
  const older = paths.value?.paths.at(PAGE)?.revision;
  useLayoutEffect(() => {
    if (older !== undefined) focusOn(`past-path-${older}`); // the button that asked for it is gone
    // eslint-disable-next-line react-hooks/exhaustive-deps -- where they are shown for the first time only
  }, [older !== undefined]);
  return (
    <>
      <Part name="past-finished" title="historyFinished" loaded={feedback}>
        {({ statements }) => <Finished statements={statements} />}
      </Part>
      <Part name="past-levels" title="historyLevels" why="historyLevelsWhy" loaded={levels}>
        {(held) => <LevelsMoved levels={held} framework={visit.framework.value} />}
      </Part>
      <Part name="past-paths" title="historyPaths" why="historyPathsWhy" loaded={paths}>
        {(held) => (
          <>
            <PastPaths paths={held.paths} />
            {held.next !== null && (
              <p>
                <Button
                  name="history-older"
                  busy={paths.busy}
                  onClick={() => {
                    if (most.value === ALL) void paths.again();
                    most.value = ALL;
                  }}
                >
                  {t('historyOlder')}
                </Button>
              </p>
            )}
          </>
        )}
      </Part>
    </>
  );
}
