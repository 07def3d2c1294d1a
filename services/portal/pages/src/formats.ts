/** Numbers and dates as the page's language writes them. */

import { locale } from './i18n';
import { formatters } from './intl';

const MOST_DECIMALS = 6; // services count in millionths
const LEAST = 1e-6;

const number = (value: number, options: Intl.NumberFormatOptions): string =>
  formatters.getNumberFormat(locale(), options as Parameters<typeof formatters.getNumberFormat>[1]).format(value);
const date = (value: Date, options: Intl.DateTimeFormatOptions): string =>
  formatters.getDateTimeFormat(locale(), options).format(value);

/** Make the formatters that every page needs, each in a separate task, because the first of a kind takes long. */
export function prepareFormats(): void {
  for (const make of [() => percent(0), () => decimal(0), () => day('2000-01-01')]) setTimeout(make);
}

/** Return a number with one decimal at most, for messages that choose a plural by it. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
/** The same for an upper limit, rounded so that it remains one. */
export const tenthsUp = (value: number): number => Math.ceil(value * 10 - LEAST) / 10;
/** Return a number with one decimal at most. */
export const decimal = (value: number): string => number(value, { maximumFractionDigits: 1 });
/** Return numbers that are shown together, with as many decimals, one to six, as different ones need to look different. */
export function apart(...values: number[]): string[] {
  for (let places = 1; ; places += 1) {
    const written = values.map((value) => number(value, { maximumFractionDigits: places }));
    if (places === MOST_DECIMALS || new Set(written).size === new Set(values).size) return written;
  }
}
/** Return a share of 0 to 1 in whole percent: 100 only for all, and 0 only for nothing. */
function wholePercent(share: number): number {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1 - LEAST) return 99;
  return rounded === 0 && share > LEAST ? 1 : rounded;
}
/** Return a share of 0 to 1 as whole percent, see wholePercent. */
export const percent = (share: number): string => `${number(wholePercent(share), {})}%`;
/** Return a number with its sign, one decimal at most; `0` if it is 0. */
export const signed = (value: number): string =>
  number(value, { maximumFractionDigits: 1, signDisplay: 'exceptZero' });
/** Return a difference of shares in whole percent points, with its sign. */
export const points = (from: number, to: number): string => signed(wholePercent(to) - wholePercent(from));

/** Return the moment of an ISO 8601 date (its noon, where the reader is) or time. */
export const momentOf = (iso: string): Date => new Date(iso.length === 10 ? `${iso}T12:00:00` : iso);
/** Return a day in words; in Thai of the Buddhist era. */
export const day = (iso: string): string => date(momentOf(iso), { day: 'numeric', month: 'long', year: 'numeric' });
/** Return a month with its year. */
export const month = (moment: Date): string => date(moment, { month: 'long', year: 'numeric' });
/** Return a year; in Thai of the Buddhist era. */
export const year = (moment: Date): string => date(moment, { year: 'numeric' });
/** Return a day without its year. */
export const shortDay = (moment: Date): string => date(moment, { day: 'numeric', month: 'short' });
/** Return the time of day. */
export const clock = (moment: Date): string => date(moment, { hour: '2-digit', minute: '2-digit' });
/** Return the name of a language by its ISO code; an unknown code is returned itself. */
export function languageName(code: string): string {
  try {
    return formatters.getLanguageNames(locale()).of(code) ?? code;
  } catch {
    return code;
  }
}

/** Return a moment's day as date fields write it. */
export function isoDay(moment: Date = new Date()): string {
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
