import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Key, Localized, localize, setLanguage, t } from '../src/i18n';
import { apart, day, decimal, languageName, percent, points, signed } from '../src/formats';

afterEach(async () => {
  await setLanguage('th');
  vi.unstubAllGlobals();
});

describe('a text of a service', () => {
  it.each([
    [{ th: 'ก', en: 'A' }, 'ก', undefined],
    [{ th: ' ', en: 'A' }, 'A', 'en'],
    [{ th: '\u200b\u0e34', en: 'A' }, 'A', 'en'],
    [{ en: 'A' }, 'A', 'en'],
    [{ th: null, en: 'A' }, 'A', 'en'],
    [{ th: '\u3164', en: '\u2800' }, '–', undefined],
    [undefined, '', undefined],
  ])('%j gives way to the other language where it shows nothing', (text, words, lang) => {
    expect(localize(text)).toEqual({ words, lang });
  });
});

describe('what is written from right to left', () => {
  const dir = (th: string) => (Localized({ text: { th } }).props as { dir?: string }).dir;

  it.each(['مهارات رقمية', 'עברית', 'abc\u202egnp.exe', 'ก\u2067ข'])('%j turns nothing around it', (text) => {
    expect(dir(text)).toBe('auto');
  });

  it('is marked alone', () => {
    expect(dir('ทักษะดิจิทัล (Digital)')).toBeUndefined();
  });
});

describe('numbers and dates', () => {
  it('are of the Buddhist era in Thai and of the common one in English', async () => {
    expect(day('2026-11-26')).toBe('26 พฤศจิกายน 2569');
    await setLanguage('en');
    expect(day('2026-11-26')).toBe('26 November 2026');
  });

  it('have one decimal at most, and differences have a sign', () => {
    expect([decimal(2), decimal(2.25), percent(0.456), signed(-1.25), signed(0)]).toEqual(['2', '2.3', '46%', '-1.3', '0']);
    expect(points(0.456, 0.5)).toBe('+4');
  });

  it('show 100% only for all and 0% only for nothing', () => {
    expect([1, 0.9999, 0.995, 0.994, 0.004, 0.000_002, 0].map(percent)).toEqual(['100%', '99%', '99%', '99%', '1%', '1%', '0%']);
    expect([percent(1 - 1e-9), points(0.9, 0.998)]).toEqual(['100%', '+9']);
  });

  it('look different if they are different', () => {
    expect(apart(2.96, 3)).toEqual(['2.96', '3']);
    expect(apart(2.9999, 3)).toEqual(['2.9999', '3']);
    expect(apart(0.6, 1, 3)).toEqual(['0.6', '1', '3']);
    expect(apart(2.25, 2.25, 3)).toEqual(['2.3', '2.3', '3']);
    expect(apart(0.04, 0)).toEqual(['0.04', '0']);
    expect(apart(3 - 1e-9, 3)).toEqual(['3', '3']);
  });

  it('are unchanged for an unknown language code, and empty for an unknown message', () => {
    expect(['th', 'not a tag', 'x'].map(languageName)).toEqual(['ไทย', 'not a tag', 'x']);
    expect(t('because.something new' as Key)).toBe('');
  });

  it('stay on one line with the word that they belong to', async () => {
    expect(t('assessSure', { n: 1, all: 14 })).toContain('1\u00a0จาก\u00a014\u00a0ทักษะ');
    await setLanguage('en');
    expect(t('assessSure', { n: 1, all: 14 })).toContain('1\u00a0of\u00a014\u00a0skills');
  });

  it('keep a date on one line', () => {
    expect(t('until', { day: day('2026-11-29') })).toContain('29\u00a0พฤศจิกายน\u00a02569');
    expect(localize({ en: 'circular 6 of 18 May 2018' }).words).toContain('18\u00a0May\u00a02018');
  });

  it('choose the plural in English', async () => {
    await setLanguage('en');
    expect([t('hours', { n: 1 }), t('hours', { n: 1.5 }), t('hours', { n: 0 })]).toEqual(['1\u00a0hour', '1.5\u00a0hours', '0\u00a0hours']);
  });
});
