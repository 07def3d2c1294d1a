import { readdirSync, readFileSync } from 'node:fs';
import { IntlMessageFormat } from 'intl-messageformat';
import { describe, expect, it } from 'vitest';

/** The messages of a language, those of the pages of one role among them. */
const messagesOf = (language: string): Record<string, string> => {
  const end = `${language}.json`;
  const parts = readdirSync('locales').flatMap((name) => (name.endsWith(end) ? [name.slice(0, -end.length)] : []));
  const pairs = parts
    .sort()
    .flatMap((part) => Object.entries(JSON.parse(readFileSync(`locales/${part}${end}`, 'utf8')) as object));
  if (new Set(pairs.map(([key]) => key)).size < pairs.length) throw new Error(`a key of ${language} stands twice`);
  return Object.fromEntries(pairs);
};
const [th, en] = [messagesOf('th'), messagesOf('en')];
const keys = Object.keys(th);
const textOf = (messages: Record<string, string>, key: string): string => messages[key] ?? '';
const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => readFileSync(`src/${name}`, 'utf8'))
  .join('\n');

/** The Thai sentences that services write. */
const templates = Object.fromEntries(
  Object.entries(JSON.parse(readFileSync('../../../shared/templates.json', 'utf8')) as Record<string, { th: string }>).map(([key, { th: text }]) => [key, text]),
);

/** The names of the values that a message takes. */
function values(message: string): string[] {
  const found = new Set<string>();
  JSON.stringify(new IntlMessageFormat(message, 'en').getAst(), (_, part: unknown) => {
    const { type, value } = (part ?? {}) as { type?: number; value?: unknown };
    if (type && typeof value === 'string' && type !== 0) found.add(value);
    return part;
  });
  return [...found].sort();
}

/** Whether the source names a key, as a whole or by a template such as `actions.${action}`. */
function isUsed(key: string): boolean {
  if (['\'', '"', '`'].some((quote) => source.includes(`${quote}${key}${quote}`))) return true;
  const [group] = key.split('.');
  if (key.includes('.')) return source.includes(`\`${group ?? ''}.\${`);
  return key.startsWith('mark') && source.includes('`mark${');
}

describe('messages', () => {
  it('are there in both languages, in the same order', () => {
    expect(Object.keys(en)).toEqual(keys);
  });

  it('take the same values in both languages, and are not empty', () => {
    const differing = keys.filter((key) => values(textOf(en, key)).join() !== values(textOf(th, key)).join());
    expect(differing).toEqual([]);
    expect(keys.filter((key) => !textOf(en, key).trim() || !textOf(th, key).trim())).toEqual([]);
  });

  it('are all used', () => {
    expect(keys.filter((key) => !isUsed(key))).toEqual([]);
  });

  /** Words that stand in the letters of others by chance: `กว่า` in `บอกว่า`. */
  const BY_CHANCE = ['กว่า', 'ดูแล', 'เชื่อม'];

  it('are in Thai not broken within a word that browsers know', () => {
    const segmenter = new Intl.Segmenter('th', { granularity: 'word' });
    const texts = { ...th, ...templates };
    const pieces = Object.values(texts).map((text) => [...segmenter.segment(text)].map(({ segment }) => segment));
    const uses = new Map<string, number>();
    for (const word of pieces.flatMap((one) => [...new Set(one)])) uses.set(word, (uses.get(word) ?? 0) + 1);
    const known = [...uses].flatMap(([word, n]) => (n > 1 && /^[\u0e00-\u0e7f]{4,}$/.test(word) && !BY_CHANCE.includes(word) ? [word] : []));
    const broken = Object.entries(texts).flatMap(([key, text]) => {
      const ends = [...segmenter.segment(text)].map(({ index }) => index);
      return known.flatMap((word) => {
        const begins = [...text.matchAll(new RegExp(word, 'g'))].map(({ index }) => index);
        return begins.some((at) => ends.some((end) => at < end && end < at + word.length)) ? [`${key}: ${word}`] : [];
      });
    });
    expect(broken).toEqual([]);
  });

  it('are Thai in Thai', () => {
    const foreign = keys.filter((key) => !/[\u0e00-\u0e7f]/.test(textOf(th, key)));
    expect(foreign).toEqual(['weekDays']);
  });
});
