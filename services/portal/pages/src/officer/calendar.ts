/** A path as an iCalendar file (RFC 5545): an entry for each course, over the days of its weeks. Pure, no DOM. */

import type { Step } from '../api';
import { isoDay } from '../formats';
import { mondayOf, spans } from './weeks';

const LINE = 75; // octets, without the line break
const MINUTE_MS = 60_000;

/** The texts of a step. */
interface Written {
  title: string;
  words: string;
  url: string | undefined;
}

const escaped = (text: string): string =>
  text
    .replace(/[\\;,]/g, '\\$&')
    .replace(/\r\n?|[\n\u2028\u2029]/g, '\\n')
    .replace(/\p{Cc}/gu, ' ');

/** Return an address in the syntax of RFC 3986, without line breaks; undefined if it is none. */
function written(url: string | undefined): string | undefined {
  try {
    return url && new URL(url).href;
  } catch {
    return undefined;
  }
}

const plain = (isoDate: string): string => isoDate.replaceAll('-', '');

/** Return a line in pieces of at most 75 octets, none of which ends within a character. */
function folded(line: string): string {
  const encoder = new TextEncoder();
  const pieces: string[] = [];
  let piece = '';
  let octets = 0;
  for (const letter of line) {
    const size = encoder.encode(letter).length;
    if (octets + size > LINE) {
      pieces.push(piece);
      piece = ' '; // a space continues the line before
      octets = 1;
    }
    piece += letter;
    octets += size;
  }
  return [...pieces, piece].join('\r\n');
}

/**
 * Return the file of an officer's steps at `weekly` hours a week from the week of `now` on. `write` puts a step into words.
 * The entry of a course has the same UID in every file of its officer. The days depend on `now` and on the hours, not on the
 * path alone, so its SEQUENCE grows with the minutes: a calendar replaces what it took from an earlier file.
 */
export function calendarOf(
  steps: Step[],
  weekly: number,
  now: Date,
  { officer, write }: { officer: string; write: (step: Step) => Written },
): string {
  const studied = spans(steps, weekly);
  const stamp = `${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const events = steps.flatMap((step, i) => {
    const { first, last } = studied[i] ?? { first: 0, last: 0 };
    const { title, words, url } = write(step);
    const address = written(url);
    return [
      'BEGIN:VEVENT',
      `UID:${step.course.id}.${officer}@learning-path`,
      `SEQUENCE:${Math.floor(now.getTime() / MINUTE_MS)}`,
      `DTSTAMP:${stamp}`,
      `DTSTART;VALUE=DATE:${plain(isoDay(mondayOf(now, first)))}`,
      `DTEND;VALUE=DATE:${plain(isoDay(mondayOf(now, last + 1)))}`,
      `SUMMARY:${escaped(title)}`,
      `DESCRIPTION:${escaped(words)}`,
      ...(address ? [`URL:${address}`] : []),
      'TRANSP:TRANSPARENT',
      'END:VEVENT',
    ];
  });
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//learning-path//portal//TH', ...events, 'END:VCALENDAR'];
  return lines.map((line) => `${folded(line)}\r\n`).join('');
}
