/** Figures as a picture, a bar for each row, with the table of the same figures below it. */

import type { ComponentChildren, JSX } from 'preact';
import { type Key, Localized, t, type Text } from './i18n';
import { Disclosure } from './ui';
import { Wide } from './wide';

interface BarRow {
  id: string;
  title: Text;
  /** The figures of the row in words. */
  words: string;
  now: number;
  after?: number;
  required?: number;
  mark?: string | undefined;
}

/** The distance of a bar's middle from the top of its picture, in px. */
export const MIDDLE = 14;

/** The mark of the required level, at a place on a bar. */
export const Required = ({ at }: { at: string }): JSX.Element => (
  <svg x={at} overflow="visible">
    <path class="required" d={`M0 ${MIDDLE - 8}V${MIDDLE + 7}M0 ${MIDDLE - 8}l-4 -6h8z`} />
  </svg>
);

function Bar({ row, top }: { row: BarRow; top: number }): JSX.Element {
  const part = (value: number) => `${((100 * Math.min(top, Math.max(0, value))) / top).toFixed(2)}%`;
  return (
    <svg class="bar" height={30} aria-hidden="true">
      <rect class="track" x={0} y={MIDDLE - 5} width="100%" height={10} rx={5} />
      {row.after !== undefined && <rect class="reached" x={0} y={MIDDLE - 5} width={part(row.after)} height={10} rx={5} />}
      <rect class="now" x={0} y={MIDDLE - 5} width={part(row.now)} height={10} rx={5} />
      {row.required !== undefined && <Required at={part(row.required)} />}
    </svg>
  );
}

const SWATCHES = {
  now: <rect class="now" x={0} y={5} width={28} height={10} rx={5} />,
  after: <rect class="reached" x={0} y={5} width={28} height={10} rx={5} />,
  required: <path class="required" d="M14 6V20M14 6l-4 -6h8z" />,
  range: <path class="range" d="M2 10H26M2 6V14M26 6V14" />,
};

/** The meaning of each colour. */
export const Legend = ({ entries }: { entries: readonly (readonly [keyof typeof SWATCHES, Key])[] }): JSX.Element => (
  <ul class="legend">
    {entries.map(([swatch, key]) => (
      <li key={swatch}>
        <svg class="swatch" width={28} height={20} aria-hidden="true">
          {SWATCHES[swatch]}
        </svg>
        {t(key)}
      </li>
    ))}
  </ul>
);

/** The picture: each row with its words, on one scale from 0 to `top`. */
export const Bars = ({ rows, top }: { rows: BarRow[]; top: number }): JSX.Element => (
  <ul class="gap-list">
    {rows.map((row) => (
      <li key={row.id} class="gap" data-row={row.id}>
        <p class="gap-title">
          <Localized as="strong" text={row.title} />
          {row.mark && <span class="verdict short">{row.mark}</span>}
        </p>
        <Bar row={row} top={top} />
        <p class="gap-words">{row.words}</p>
      </li>
    ))}
  </ul>
);

interface TableProps {
  name: string;
  /** What the figures are of; the name of the part that scrolls. */
  label: string;
  heads: string[];
  rows: () => FigureRow[];
}

interface FigureRow {
  id: string;
  title: Text;
  cells: ComponentChildren[];
}

/** The table of a picture, which is drawn once it is opened, and on paper. */
export const FigureTable = ({ name, label, heads, rows }: TableProps): JSX.Element => (
  <Disclosure name={`${name}-table`} printed summary={t('asTable')}>
    {() => (
      <Wide aria-label={`${label}: ${t('asTable')}`}>
        <Table heads={heads} rows={rows()} />
      </Wide>
    )}
  </Disclosure>
);

const Table = ({ heads, rows }: { heads: string[]; rows: FigureRow[] }): JSX.Element => (
  <table>
    <thead>
      <tr>
        {heads.map((head, i) => (
          <th key={i} scope="col">
            {head}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {rows.map((row) => (
        <tr key={row.id}>
          <Localized as="th" text={row.title} scope="row" />
          {row.cells.map((cell, i) => (
            <td key={i}>{cell}</td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);
