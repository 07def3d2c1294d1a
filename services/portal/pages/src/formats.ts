/** Numbers and dates as the page's language writes them. */

import { locale } from './i18n';
import { formatters } from './intl';

const number = (value: number, options: Intl.NumberFormatOptions): string =>
  formatters.getNumberFormat(locale(), options as Parameters<typeof formatters.getNumberFormat>[1]).format(value);
const date = (value: Date, options: Intl.DateTimeFormatOptions): string =>
  formatters.getDateTimeFormat(locale(), options).format(value);

/** Make the formatters that every page needs, each in a task of its own, because the first of a kind takes long. */
export function prepareFormats(): void {
  for (const make of [() => percent(0), () => decimal(0), () => day('2000-01-01')]) setTimeout(make);
}

/** Return a number with one decimal at most, for messages that choose a plural by it. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
/** Return a number with one decimal at most. */
export const decimal = (value: number): string => number(value, { maximumFractionDigits: 1 });
/** Return a share of 0 to 1 as whole percent. */
export const percent = (share: number): string => `${number(Math.round(share * 100), {})}%`;
/** Return a number with its sign, one decimal at most; `0` where it is none. */
export const signed = (value: number): string =>
  number(value, { maximumFractionDigits: 1, signDisplay: 'exceptZero' });
/** Return a difference of shares in whole percent points, with its sign. */
export const points = (from: number, to: number): string => signed(Math.round(to * 100) - Math.round(from * 100));

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
/** Return the name of a language by its ISO code; the code itself where it is none. */
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
