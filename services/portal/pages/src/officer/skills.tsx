/** Skills as a picture: one bar per skill on the framework's scale, grouped by area, in words and as a table. */

import type { JSX } from 'preact';
import type { Framework, Gap, LearningPath } from '../api';
import { byArea } from '../areas';
import { FigureTable, Legend, MIDDLE, Required } from '../charts';
import { apart, decimal } from '../formats';
import { type Key, Localized, t, type Text } from '../i18n';
import { AfterPaint, Section } from '../ui';
import { CoverageBar } from './coverage';

const UNDER = 25; // px from the top to the line of the likely range, clear of the bar
const ROUNDING = 1e-6; // levels: services count in millionths

interface ScaleStep {
  level: number;
  title?: Text;
}

/** Whether a level counts as the required one. */
export const meets = (level: number, required: number): boolean => level >= required - ROUNDING;

/** Return the levels of the scale, lowest first; where the framework is not known, whole levels up to the largest seen. */
function scaleOf(path: LearningPath, framework: Framework | undefined): ScaleStep[] {
  if (framework?.scale.length) return [...framework.scale].sort((a, b) => a.level - b.level);
  const top = Math.max(1, ...path.gaps.flatMap((gap) => [gap.required, gap.reached, gap.level]));
  return Array.from({ length: Math.ceil(top) + 1 }, (_, level) => ({ level }));
}

const topOf = (scale: ScaleStep[]): number => scale.at(-1)?.level ?? 1;

function Bar({ gap, scale }: { gap: Gap; scale: ScaleStep[] }): JSX.Element {
  const top = topOf(scale);
  const within = (value: number) => Math.min(top, Math.max(0, value));
  const at = (value: number) => `${((100 * within(value)) / top).toFixed(2)}%`;
  const wide = (from: number, to: number) => `${((100 * Math.max(0, within(to) - within(from))) / top).toFixed(2)}%`;
  const [low, high] = [at(gap.level - gap.sd), at(gap.level + gap.sd)];
  return (
    <svg class="bar" height={30} aria-hidden="true">
      <rect class="track" x={0} y={MIDDLE - 5} width="100%" height={10} rx={5} />
      {scale.slice(1, -1).map(({ level }) => (
        <line key={level} class="tick" x1={at(level)} x2={at(level)} y1={MIDDLE - 5} y2={MIDDLE + 5} />
      ))}
      <rect class="reached" x={at(gap.level)} y={MIDDLE - 5} width={wide(gap.level, gap.reached)} height={10} rx={2} />
      <rect
        class={gap.assessed ? 'now' : 'now assumed'}
        x={0}
        y={MIDDLE - 5}
        width={at(gap.level)}
        height={10}
        rx={5}
      />
      {gap.sd > 0 && (
        <>
          <line class="range" x1={low} x2={high} y1={UNDER} y2={UNDER} />
          <line class="range" x1={low} x2={low} y1={UNDER - 3} y2={UNDER + 3} />
          <line class="range" x1={high} x2={high} y1={UNDER - 3} y2={UNDER + 3} />
        </>
      )}
      <Required at={at(gap.required)} />
    </svg>
  );
}

/** `tooSmall`: what the path leaves of the gap is less than an assessment can measure. */
function verdict(gap: Gap, tooSmall: boolean): [string, string] {
  if (meets(gap.level, gap.required)) return ['held', t('held')];
  if (meets(gap.reached, gap.required)) return ['will-hold', t('willHold')];
  const [by = ''] = apart(gap.required - gap.reached, 0);
  return tooSmall ? ['held', t('shortLittle', { by })] : ['short', t('short', { by })];
}

function Row({ gap, scale, tooSmall }: { gap: Gap; scale: ScaleStep[]; tooSmall: boolean }): JSX.Element {
  const [kind, words] = verdict(gap, tooSmall);
  const [now = '', reached = '', required = ''] = apart(gap.level, gap.reached, gap.required);
  return (
    <li class="gap">
      <p class="gap-title">
        <Localized as="strong" text={gap.title} />
        <span class={`verdict ${kind}`}>{words}</span>
      </p>
      <Bar gap={gap} scale={scale} />
      <p class="gap-words">
        {t('levels', { now, reached, required })}
        {!gap.assessed && (
          <>
            <br />
            <em>{t('untested')}</em>
          </>
        )}
      </p>
    </li>
  );
}

const LEGEND = [['now', 'legendNow'], ['after', 'legendReached'], ['required', 'legendRequired'], ['range', 'legendRange']] as const;

function Axis({ scale }: { scale: ScaleStep[] }): JSX.Element {
  const top = topOf(scale);
  const anchor = (i: number) => (i === 0 ? 'start' : i === scale.length - 1 ? 'end' : 'middle');
  return (
    <svg class="axis" height={18} aria-hidden="true">
      {scale.map(({ level }, i) => (
        <text key={level} x={`${(100 * level) / top}%`} y={13} text-anchor={anchor(i)}>
          {decimal(level)}
        </text>
      ))}
    </svg>
  );
}

const HEADS: Key[] = ['skill', 'legendNow', 'range', 'legendReached', 'legendRequired'];

const Table = ({ gaps, top }: { gaps: Gap[]; top: number }): JSX.Element => (
  <FigureTable
    name="gaps"
    label={t('gaps')}
    heads={HEADS.map((head) => t(head))}
    rows={() => gaps.map((gap) => {
      const [low, high] = [Math.max(0, gap.level - gap.sd), Math.min(top, gap.level + gap.sd)].map(decimal) as [string, string];
      const [now = '', reached = '', required = ''] = apart(gap.level, gap.reached, gap.required);
      return {
        id: gap.skill,
        title: gap.title,
        cells: [now, t('rangeOf', { low, high }), reached, required],
      };
    })}
  />
);

/** Whether any level that this job group requires is marked as an example of ours, not as published. */
const isIllustrative = (framework: Framework | undefined, path: LearningPath): boolean =>
  (framework?.requirements ?? []).some(
    (rule) => rule.job_group === path.job_group && rule.provenance?.level?.status === 'illustrative',
  );

function Explanation({ scale, framework, path }: { scale: ScaleStep[]; framework: Framework | undefined; path: LearningPath }): JSX.Element {
  const named = scale.filter((step) => step.title);
  return (
    <details data-keep="gaps-explained">
      <summary>{t('explain')}</summary>
      {named.length > 0 && (
        <>
          <p>{t('explainLevel')}</p>
          <dl class="scale">
            {named.map(({ level, title }) => (
              <div key={level}>
                <dt>{decimal(level)}</dt>
                <Localized as="dd" text={title} />
              </div>
            ))}
          </dl>
        </>
      )}
      <p>{t('explainRange')}</p>
      <p>{t('explainShare')}</p>
      {isIllustrative(framework, path) && <p>{t('illustrative')}</p>}
    </details>
  );
}

/** The section of skills; nothing where there is no requirement. */
export function Skills({ path, framework }: { path: LearningPath; framework: Framework | undefined }): JSX.Element | null {
  if (path.gaps.length === 0) return null;
  const scale = scaleOf(path, framework);
  const tooSmall = new Set(path.open.filter((one) => one.cause === 'too_small').map((one) => one.skill));
  return (
    <Section name="gaps" title="gaps" target>
      <CoverageBar coverage={path.coverage} />
      <p class="quiet">{t('gapsWhy')}</p>
      <Legend entries={LEGEND} />
      {byArea(path.gaps, (gap) => gap.area, framework).map(({ id, title, items }) => (
        <div key={id} class="area">
          {title && <Localized as="h3" text={title} />}
          <AfterPaint>
            {() => (
              <>
                <Axis scale={scale} />
                <ul class="gap-list">
                  {items.map((gap) => (
                    <Row key={gap.skill} gap={gap} scale={scale} tooSmall={tooSmall.has(gap.skill)} />
                  ))}
                </ul>
              </>
            )}
          </AfterPaint>
        </div>
      ))}
      <Table gaps={path.gaps} top={topOf(scale)} />
      <Explanation scale={scale} framework={framework} path={path} />
    </Section>
  );
}
