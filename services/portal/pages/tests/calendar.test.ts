import { describe, expect, it } from 'vitest';
import type { Step } from '../src/api';
import { calendarOf } from '../src/officer/calendar';

const step = (id: string, hours: number, cumulative_hours: number): Step =>
  ({ course: { id, hours }, cumulative_hours }) as unknown as Step;

const written = (title: string, words = 'why', url?: string) =>
  calendarOf([step('a', 6, 6), step('b', 1, 7)], 4, new Date(2026, 10, 26), {
    revision: 7,
    planned: '2026-11-26T03:04:05.6Z',
    write: () => ({ title, words, url }),
  });

describe('the calendar file', () => {
  it('holds each course over the days of its weeks', () => {
    const text = written('Course', 'why', 'https://example.org/c');
    expect(text.match(/DTSTART;VALUE=DATE:(\d+)\r\nDTEND;VALUE=DATE:(\d+)/g)).toEqual([
      'DTSTART;VALUE=DATE:20261123\r\nDTEND;VALUE=DATE:20261207',
      'DTSTART;VALUE=DATE:20261130\r\nDTEND;VALUE=DATE:20261207',
    ]);
    expect(text).toContain('UID:a@learning-path\r\nSEQUENCE:7\r\nDTSTAMP:20261126T030405Z\r\n');
    expect(text).toContain('URL:https://example.org/c\r\n');
  });

  it('lets no text end its line or begin another property', () => {
    const text = written('one; two, three\\', 'first\nEND:VCALENDAR\r\nsecond');
    expect(text).toContain('SUMMARY:one\\; two\\, three\\\\\r\n');
    expect(text).toContain('DESCRIPTION:first\\nEND:VCALENDAR\\nsecond\r\n');
    expect(text.split('\r\n').filter((line) => line === 'END:VCALENDAR')).toHaveLength(1);
  });

  it('folds long lines after whole characters, at 75 octets', () => {
    const title = 'ออกแบบบริการดิจิทัล 🎓 '.repeat(12).trim();
    const text = written(title);
    for (const line of text.split('\r\n')) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
    expect(text.replaceAll('\r\n ', '')).toContain(`SUMMARY:${title}`);
  });
});
