import { describe, expect, it } from 'vitest';
import type { Step } from '../src/api';
import { calendarOf } from '../src/officer/calendar';

const step = (id: string, hours: number, cumulative_hours: number): Step =>
  ({ course: { id, hours }, cumulative_hours }) as unknown as Step;

const NOW = new Date(2026, 10, 26, 10, 4, 5);

const written = (title: string, words = 'why', url?: string, { now = NOW, officer = 'o-1' } = {}) =>
  calendarOf([step('a', 6, 6), step('b', 1, 7)], 4, now, { officer, write: () => ({ title, words, url }) });

/** Return the values of a property in a file, in order. */
const all = (text: string, property: string): string[] =>
  [...text.replaceAll('\r\n ', '').matchAll(new RegExp(`^${property}[:;](.*)\r$`, 'gm'))].map(([, value]) => value ?? '');

describe('the calendar file', () => {
  it('holds each course over the days of its weeks', () => {
    const text = written('Course', 'why', 'https://example.org/c');
    expect(text.match(/DTSTART;VALUE=DATE:(\d+)\r\nDTEND;VALUE=DATE:(\d+)/g)).toEqual([
      'DTSTART;VALUE=DATE:20261123\r\nDTEND;VALUE=DATE:20261207',
      'DTSTART;VALUE=DATE:20261130\r\nDTEND;VALUE=DATE:20261207',
    ]);
    expect(all(text, 'UID')).toEqual(['a.o-1@learning-path', 'b.o-1@learning-path']);
    const stamp = NOW.toISOString().replace(/[-:]|\.\d+/g, '');
    expect(all(text, 'DTSTAMP')).toEqual([stamp, stamp]);
    expect(text).toContain('URL:https://example.org/c\r\n');
  });

  it('replaces the entries of an earlier file, even if only the week differs', () => {
    const before = written('Course');
    const after = written('Course', 'why', undefined, { now: new Date(2026, 11, 3) });
    expect(all(after, 'UID')).toEqual(all(before, 'UID'));
    expect(all(after, 'DTSTART')).not.toEqual(all(before, 'DTSTART'));
    const [earlier, later] = [before, after].map((text) => Number(all(text, 'SEQUENCE')[0]));
    expect(later).toBeGreaterThan(earlier ?? Infinity);
    expect(later).toBeLessThan(2 ** 31);
  });

  it('has other entries for another officer', () => {
    const [one, other] = ['o-1', 'o-2'].map((officer) => all(written('Course', 'why', undefined, { officer }), 'UID'));
    expect(one?.filter((uid) => other?.includes(uid))).toEqual([]);
  });

  it('contains no text that ends its line or begins another property', () => {
    const text = written('one; two, three\\', 'first\nEND:VCALENDAR\r\nsecond');
    expect(text).toContain('SUMMARY:one\\; two\\, three\\\\\r\n');
    expect(text).toContain('DESCRIPTION:first\\nEND:VCALENDAR\\nsecond\r\n');
    expect(text.split('\r\n').filter((line) => line === 'END:VCALENDAR')).toHaveLength(1);
    const alone = written('a\rEND:VCALENDAR\u2028\u0085\u0000\tb', 'why', 'https://example.org/ก\r\nATTACH:file');
    expect(all(alone, 'SUMMARY')[0]).toBe('a\\nEND:VCALENDAR\\n   b');
    expect(all(alone, 'URL')[0]).toBe('https://example.org/%E0%B8%81ATTACH:file');
    expect(all(written('c', 'why', 'https://'), 'URL')).toEqual([]);
  });

  it('folds long lines after whole characters, at 75 octets', () => {
    const title = 'ออกแบบบริการดิจิทัล 🎓 '.repeat(12).trim();
    const text = written(title);
    for (const line of text.split('\r\n')) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
    expect(text.replaceAll('\r\n ', '')).toContain(`SUMMARY:${title}`);
  });
});
