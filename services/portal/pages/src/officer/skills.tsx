/** Skills as a picture: one bar per skill on the framework's scale, grouped by area, in words and as a table. */

import type { JSX } from 'preact';
import type { Framework, Gap, LearningPath } from '../api';
import { decimal } from '../formats';
import { type Key, Localized, t, type Text } from '../i18n';
import { Section } from '../ui';

const MIDDLE = 14; // px from the top of a bar's picture
const UNDER = 25; // px from the top to the line of the likely range, clear of the bar
const ROUNDING = 0.05; // levels: less than what the page shows

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
      <svg x={at(gap.required)} overflow="visible">
        <path class="required" d={`M0 ${MIDDLE - 8}V${MIDDLE + 7}M0 ${MIDDLE - 8}l-4 -6h8z`} />
      </svg>
    </svg>
  );
}

function verdict(gap: Gap): [string, string] {
  if (meets(gap.level, gap.required)) return ['held', t('held')];
  if (meets(gap.reached, gap.required)) return ['will-hold', t('willHold')];
  return ['short', t('short', { by: decimal(gap.required - gap.reached) })];
}

function Row({ gap, scale }: { gap: Gap; scale: ScaleStep[] }): JSX.Element {
  const [kind, words] = verdict(gap);
  return (
    <li class="gap">
      <p class="gap-title">
        <Localized as="strong" text={gap.title} />
        <span class={`verdict ${kind}`}>{words}</span>
      </p>
      <Bar gap={gap} scale={scale} />
      <p class="gap-words">
        {t('levels', { now: decimal(gap.level), reached: decimal(gap.reached), required: decimal(gap.required) })}
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

const SWATCHES: Record<'legendNow' | 'legendReached' | 'legendRequired' | 'legendRange', JSX.Element> = {
  legendNow: <rect class="now" x={0} y={5} width={28} height={10} rx={5} />,
  legendReached: <rect class="reached" x={0} y={5} width={28} height={10} rx={2} />,
  legendRequired: <path class="required" d="M14 6V20M14 6l-4 -6h8z" />,
  legendRange: <path class="range" d="M2 10H26M2 6V14M26 6V14" />,
};

const Legend = (): JSX.Element => (
  <ul class="legend">
    {(['legendNow', 'legendReached', 'legendRequired', 'legendRange'] as const).map((key) => (
      <li key={key}>
        <svg class="swatch" width={28} height={20} aria-hidden="true">
          {SWATCHES[key]}
        </svg>
        {t(key)}
      </li>
    ))}
  </ul>
);

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

function Table({ gaps, top }: { gaps: Gap[]; top: number }): JSX.Element {
  return (
    <details data-keep="gaps-table">
      <summary>{t('asTable')}</summary>
      {/* eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex -- what scrolls must be reached by the keyboard */}
      <div class="scroll" tabIndex={0} role="region" aria-label={t('asTable')}>
        <table>
          <thead>
            <tr>
              {HEADS.map((head) => (
                <th key={head} scope="col">
                  {t(head)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {gaps.map((gap) => (
              <tr key={gap.skill}>
                <Localized as="th" text={gap.title} scope="row" />
                <td>{decimal(gap.level)}</td>
                <td>
                  {t('rangeOf', {
                    low: decimal(Math.max(0, gap.level - gap.sd)),
                    high: decimal(Math.min(top, gap.level + gap.sd)),
                  })}
                </td>
                <td>{decimal(gap.reached)}</td>
                <td>{decimal(gap.required)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

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

/** Return the gaps by area, in the framework's order; all in one without a name where the framework is not known. */
function byArea(gaps: Gap[], framework: Framework | undefined): { id: string; title?: Text; gaps: Gap[] }[] {
  if (!framework) return [{ id: '', gaps }];
  const known = framework.areas;
  const unknown = [...new Set(gaps.map((gap) => gap.area))].filter((id) => !known.some((area) => area.id === id));
  return [...known, ...unknown.map((id) => ({ id, title: { en: id } }))]
    .map(({ id, title }) => ({ id, title, gaps: gaps.filter((gap) => gap.area === id) }))
    .filter((area) => area.gaps.length > 0);
}

/** The section of skills; nothing where there is no requirement. */
export function Skills({ path, framework }: { path: LearningPath; framework: Framework | undefined }): JSX.Element | null {
  if (path.gaps.length === 0) return null;
  const scale = scaleOf(path, framework);
  return (
    <Section name="gaps" title="gaps" why="gapsWhy" target>
      <Legend />
      {byArea(path.gaps, framework).map(({ id, title, gaps }) => (
        <div key={id} class="area">
          {title && <Localized as="h3" text={title} />}
          <Axis scale={scale} />
          <ul class="gap-list">
            {gaps.map((gap) => (
              <Row key={gap.skill} gap={gap} scale={scale} />
            ))}
          </ul>
        </div>
      ))}
      <Table gaps={path.gaps} top={topOf(scale)} />
      <Explanation scale={scale} framework={framework} path={path} />
    </Section>
  );
}
