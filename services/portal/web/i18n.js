/** Messages in the page's language (Thai by default), localized texts of the services, and formats of numbers and dates. */

import { h } from './dom.js';
import { MESSAGES } from './messages.js';

const REMEMBERED = 'language';
const LOCALES = { th: 'th-TH-u-ca-buddhist-nu-latn', en: 'en-GB' };

let present = remembered();

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) === 'en' ? 'en' : 'th';
  } catch {
    return 'th'; // storage may be forbidden; the page works without it
  }
}

/** Return `th` or `en`. */
export const language = () => present;
/** Return the other language. */
export const otherLanguage = () => (present === 'th' ? 'en' : 'th');

/** Write the page in `next` from now on, and remember it on this device. */
export function setLanguage(next) {
  present = next;
  try {
    localStorage.setItem(REMEMBERED, next);
  } catch {
    // as above
  }
}

/** Return a text in which no line ends between a number and the word it belongs to. */
const bound = (text) => text.replace(/ (?=\d)|(?<=\d) (?=ชั่วโมง|หลักสูตร|ทักษะ|ระดับ|hour|course|skill)/g, '\u00a0');

/** Return the message of `key` in the page's language. */
export function t(key, ...values) {
  const message = MESSAGES[present][key];
  const text = typeof message === 'function' ? message(...values) : message;
  return typeof text === 'string' ? bound(text) : text;
}

/** Whether a text has a character to be seen: paths from before that was asked for may hold one that has none. */
const shows = (text) => /[\p{L}\p{N}\p{P}\p{S}]/u.test((text ?? '').replace(/[\u115f\u1160\u3164\uffa0\u2800\ufffc]/g, ''));

/** Return an element with a service's text (`{th, en}`), marked with `lang` where it is not in the page's language. */
export function localized(tag, text, attributes = {}) {
  const spoken = shows(text?.[present]) || !shows(text?.[otherLanguage()]) ? present : otherLanguage();
  const words = shows(text?.[spoken]) ? text[spoken] : text ? '–' : '';
  return h(tag, { ...attributes, lang: spoken === present ? undefined : spoken }, bound(words));
}

const number = (value, digits) =>
  new Intl.NumberFormat(LOCALES[present], { maximumFractionDigits: digits }).format(value);

/** Return a number of hours with one decimal at most, without the unit. */
export const hours = (value) => number(value, 1);
/** Return a level with one decimal at most. */
export const level = (value) => number(value, 1);
/** Return a share of 0 to 1 as whole percent. */
export const percent = (share) => `${number(Math.round(share * 100), 0)}%`;
/** Return a difference of whole percent points with its sign; `0` where there is none. */
export const points = (from, to) => signed(Math.round(to * 100) - Math.round(from * 100));
/** Return a number with its sign, one decimal at most. */
export const signed = (value) =>
  new Intl.NumberFormat(LOCALES[present], { maximumFractionDigits: 1, signDisplay: 'exceptZero' }).format(value);

/** Return a day in words; in Thai of the Buddhist era. */
export function day(iso) {
  const date = new Date(iso.length === 10 ? `${iso}T12:00:00` : iso);
  return new Intl.DateTimeFormat(LOCALES[present], { day: 'numeric', month: 'long', year: 'numeric' }).format(date);
}

/** Return the time of day. */
export const clock = (date) => new Intl.DateTimeFormat(LOCALES[present], { hour: '2-digit', minute: '2-digit' }).format(date);

/** Return the name of a language by its ISO code. */
export const languageName = (code) => new Intl.DisplayNames([LOCALES[present]], { type: 'language' }).of(code) ?? code;

/** Return words joined by commas and "and" as the language does it, as a list of texts and elements. */
export function joined(nodes) {
  return nodes.flatMap((node, i) => (i === 0 ? [node] : [', ', node]));
}
