/** The words of the pages in Thai and English, and the texts of the services, which come in one or both languages. */

import { signal } from '@preact/signals';
import type { MessageFormatElement } from '@formatjs/icu-messageformat-parser';
import { formatToParts } from 'intl-messageformat';
import { type AllHTMLAttributes, type ComponentChild, type ComponentChildren, createElement, type JSX } from 'preact';
import type agencies from '../locales/agency.th.json';
import type editors from '../locales/editor.th.json';
import type histories from '../locales/history.th.json';
import type shares from '../locales/share.th.json';
import type links from '../locales/shared.th.json';
import type supervisions from '../locales/supervision.th.json';
import type supervisors from '../locales/supervisor.th.json';
import type systems from '../locales/system.th.json';
import thai from '../locales/th.json';
import { formatters } from './intl';

export type Key =
  | keyof typeof thai
  | keyof typeof agencies
  | keyof typeof editors
  | keyof typeof histories
  | keyof typeof links
  | keyof typeof shares
  | keyof typeof supervisions
  | keyof typeof supervisors
  | keyof typeof systems;
export type Language = 'th' | 'en';
/** A text of a service: one of the two languages may be missing. */
export interface Text {
  th?: string | null;
  en?: string | null;
}
type Values = Record<string, string | number>;
/** A message as the build leaves it (`vite.config.ts`): text, or what its parser made of it. */
type Message = string | MessageFormatElement[];
type Words = Partial<Record<Key, Message>>;
type Fetch = () => Promise<{ default: Words }>;

const REMEMBERED = 'language';
const LOCALES = { th: 'th-TH-u-ca-buddhist-nu-latn', en: 'en-GB' } as const;

/** The messages by language. Thai comes with the page that uses them, English is fetched when it is chosen. */
const messages: Record<Language, Words> = { th: { ...thai }, en: {} };
/** What is not fetched yet of English. */
const missing = new Set<Fetch>([() => import('../locales/en.json')]);
const NAMED_FORMATS = { number: {}, date: {}, time: {} }; // no message has any
const present = signal<Language>('th');

/** Return the language of the page. */
export const language = (): Language => present.value;
/** Return the other language. */
export const otherLanguage = (): Language => (present.value === 'th' ? 'en' : 'th');
/** Return the locale that numbers and dates are written by: in Thai of the Buddhist era, with Arabic digits. */
export const locale = (): string => LOCALES[present.value];

/** Fetch the missing words, so that the language changes at once, also without a connection. */
export async function fetchWords(): Promise<void> {
  for (const fetch of missing) {
    Object.assign(messages.en, (await fetch()).default);
    missing.delete(fetch);
  }
}

/** Add words in Thai, and in English only once English is chosen. Rejects as `fetchWords`. */
async function addWords(inThai: Words, inEnglish: Fetch): Promise<void> {
  Object.assign(messages.th, inThai);
  missing.add(inEnglish);
  if (present.value === 'en') await fetchWords();
}

/** Return what fetches a part of the pages together with words of its own. */
export const withWords =
  <Part,>(part: () => Promise<Part>, inThai: Fetch, inEnglish: Fetch) =>
  async (): Promise<Part> => {
    const [found, words] = await Promise.all([part(), inThai()]);
    await addWords(words.default, inEnglish);
    return found;
  };

/** Show the page in `next` from now on, and remember it on this device. Rejects if its words cannot be fetched. */
export async function setLanguage(next: Language): Promise<void> {
  if (next === 'en') await fetchWords();
  present.value = next;
  try {
    localStorage.setItem(REMEMBERED, next);
  } catch {
    // storage may be forbidden; the page works without it
  }
}

/** Show the page in the language that was chosen on this device before; Thai without a choice. */
export async function restoreLanguage(): Promise<void> {
  try {
    if (localStorage.getItem(REMEMBERED) === 'en') await setLanguage('en');
  } catch {
    // as above, or English could not be fetched
  }
}

/** Return a text in which no line ends between a number and the word it belongs to, or within a date. */
const bound = (text: string): string =>
  text.replace(
    / (?=\d)|(?<=\d) (?=ชั่วโมง|หลักสูตร|ทักษะ|ระดับ|คน|จุด|รายการ|แถว|hour|course|skill|more|point|officer|row|of \d|จาก \d|[^\s\d]+ \d{4}(?!\d))/g,
    '\u00a0',
  );

/** Return the parts of a message. A newer service may name a cause without words yet: it has none. */
function partsOf<T>(key: Key, values?: Record<string, T>): (string | T)[] {
  const message = messages[present.value][key] ?? messages.th[key] ?? '';
  if (typeof message === 'string') return [message];
  return formatToParts<T>(message, locale(), formatters, NAMED_FORMATS, values).map(({ value }: { value: string | T }) => value);
}

/** Return the message of `key` in the page's language. Numbers in `values` decide about plurals. */
export const t = (key: Key, values?: Values): string => bound(partsOf(key, values).join(''));

/** Return the message of `key` with elements among its values. */
export const rich = (key: Key, values: Record<string, ComponentChild>): ComponentChild[] =>
  partsOf<ComponentChild>(key, values).map((part) => (typeof part === 'string' ? bound(part) : part));

/** Whether a text has a character to be seen: paths from before that was required may hold one that has none. */
const shows = (text: string | null | undefined): text is string =>
  /[\p{L}\p{N}\p{P}\p{S}]/u.test((text ?? '').replace(/[\u115f\u1160\u3164\uffa0\u2800\ufffc]/g, ''));

/** Return the words of a service's text, and their language if it is not the page's. */
export function localize(text: Text | null | undefined): { words: string; lang: Language | undefined } {
  if (!text) return { words: '', lang: undefined };
  for (const lang of [language(), otherLanguage()]) {
    const words = text[lang];
    if (shows(words)) return { words: bound(words), lang: lang === language() ? undefined : lang };
  }
  return { words: '–', lang: undefined };
}

/** Letters that are written from right to left, and the marks that turn the order of what follows them. */
const TURNS = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;

interface LocalizedProps extends Pick<AllHTMLAttributes, 'class' | 'scope'> {
  text: Text | null | undefined;
  as?: keyof JSX.IntrinsicElements;
  children?: ComponentChildren;
}

/** A service's text, marked with its language where that is not the page's; children stand after it. It turns nothing around it. */
export function Localized({ text, as = 'span', children, ...attributes }: LocalizedProps): JSX.Element {
  const { words, lang } = localize(text);
  // A new element where the language changes: an attribute that Preact takes away stays, empty, as an unknown language.
  return createElement(as, { ...attributes, key: lang, lang, ...(TURNS.test(words) ? { dir: 'auto' } : {}) }, words, children);
}
