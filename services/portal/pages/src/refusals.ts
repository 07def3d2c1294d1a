/** What services say about a refusal or a warning, in Thai: `locales/refusals/th.json` holds a text for each English one. */

import { signal } from '@preact/signals';

/** Thai texts by English ones. `{}` in an English text stands for a value; `{0}` in the Thai one for the first of them. */
export type Table = Readonly<Record<string, string>>;

const VALUE = '{}';
const DEEPEST = 3; // a value may be such a text itself, with values of its own
/** Whether an English text is the end of another one, such as the values that are allowed. */
const isAddition = (english: string): boolean => english.startsWith('{};');
const weight = (english: string): number => (isAddition(english) ? 1000 : english.replaceAll(VALUE, '').length);
const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Return a function from a text of the services to its Thai; undefined for a text that the table does not have. */
export function translator(table: Table): (text: string) => string | undefined {
  const patterns = Object.entries(table)
    .filter(([english]) => english.includes(VALUE))
    .sort(([a], [b]) => weight(b) - weight(a)) // the most particular one first
    .map(([english, thai]) => ({ english, pattern: new RegExp(`^${english.split(VALUE).map(literal).join('(.*?)')}$`, 's'), thai }));
  const find = (text: string, depth: number): string | undefined => {
    if (Object.hasOwn(table, text)) return table[text];
    for (const { english, pattern, thai } of patterns) {
      const values = pattern.exec(text)?.slice(1);
      if (values && (!isAddition(english) || find(values[0] ?? '', depth + 1))) return thai.replace(/\{(\d)\}/g, (_, i: string) => inside(values[Number(i)] ?? '', depth));
    }
    return undefined;
  };
  /** A value in quotation marks is somebody's own text and stays as it is. */
  const inside = (value: string, depth: number): string =>
    /^['"]/.test(value) || depth >= DEEPEST ? value : (find(value, depth + 1) ?? value);
  return (text) => find(text, 0);
}

const present = signal<((text: string) => string | undefined) | undefined>(undefined);

/** Fetch the table; without it the texts stay English. */
export async function fetchRefusals(): Promise<void> {
  if (present.peek()) return;
  try {
    present.value = translator((await import('../locales/refusals/th.json')).default);
  } catch {
    present.value = () => undefined; // a newer release has replaced the file
  }
}

/** Whether the table has been fetched, or cannot be. */
export const refusalsAreHere = (): boolean => present.value !== undefined;
/** Return a text of the services in Thai; undefined without one. */
export const inThai = (text: string): string | undefined => present.value?.(text);
