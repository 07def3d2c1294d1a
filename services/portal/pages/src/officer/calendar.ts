/** A path as an iCalendar file (RFC 5545): an entry for each course, over the days of its weeks. Pure, no DOM. */

import type { Step } from '../api';
import { isoDay } from '../formats';
import { mondayOf, spans } from './weeks';

const LINE = 75; // octets, without the line break

/** What is written of a step. */
interface Written {
  title: string;
  words: string;
  url: string | undefined;
}

const escaped = (text: string): string => text.replace(/[\\;,]/g, '\\$&').replace(/\r?\n/g, '\\n');
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
 * Return the file of a path's steps at `weekly` hours a week from the week of `now` on. `write` puts a step into words;
 * `revision` and `planned` (ISO 8601) are those of the path, so that a calendar replaces what it took from an older one.
 */
export function calendarOf(
  steps: Step[],
  weekly: number,
  now: Date,
  { revision, planned, write }: { revision: number; planned: string; write: (step: Step) => Written },
): string {
  const studied = spans(steps, weekly);
  const stamp = `${new Date(planned).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const events = steps.flatMap((step, i) => {
    const { first, last } = studied[i] ?? { first: 0, last: 0 };
    const { title, words, url } = write(step);
    return [
      'BEGIN:VEVENT',
      `UID:${step.course.id}@learning-path`,
      `SEQUENCE:${revision}`,
      `DTSTAMP:${stamp}`,
      `DTSTART;VALUE=DATE:${plain(isoDay(mondayOf(now, first)))}`,
      `DTEND;VALUE=DATE:${plain(isoDay(mondayOf(now, last + 1)))}`,
      `SUMMARY:${escaped(title)}`,
      `DESCRIPTION:${escaped(words)}`,
      ...(url ? [`URL:${url}`] : []),
      'TRANSP:TRANSPARENT',
      'END:VEVENT',
    ];
  });
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//learning-path//portal//TH', ...events, 'END:VCALENDAR'];
  return lines.map((line) => `${folded(line)}\r\n`).join('');
}
