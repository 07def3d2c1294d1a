import { describe, expect, it } from 'vitest';
import { csvOf, furthestBehind, reachedOf, topOf } from '../src/agency/report';
import type { AgencyView, GroupGaps } from '../src/agency/requests';
import { csvCell } from '../src/files';

const group = (job_group: string, gap: number): GroupGaps => ({
  ...{ job_group, title: { th: 'กลุ่ม', en: `group, ${job_group}` }, officers: 7, before: 0.5, after: 0.9, gap },
  ...{ hours: 12, as_of: '2026-11-23' },
  skills: [{ skill: 'reading', title: { en: 'Reading' }, officers: 7, level: 1, required: 2, gap: 1, after: 0.5 }],
});

const VIEW: AgencyView = {
  ...{ agency: 'north', framework: 'fw', frameworks: { fw: 10 }, min_group: 5, officers: 13, request_id: 'r' },
  skills: [
    {
      ...{ skill: 'reading', title: { th: 'การอ่าน' }, officers: 13, level: 1, required: 2.5, gap: 1.5, after: 0.5 },
      ...{ sizes: [], open: { no_course: null, budget: 5 } },
    },
  ],
  courses: [
    { course: { id: 'c', title: { en: '=1+1' }, provider: { en: 'P' }, hours: 4, languages: ['th'] }, officers: 10 },
  ],
  groups: [group('it', 1), group('service', 2)],
  without_path: { none_needed: null },
  history: [
    {
      ...{ day: '2026-11-23', officers: 13, before: 0.5, after: 0.9, gap: 1.5 },
      groups: [{ job_group: 'it', officers: 7, before: 0.4, after: 0.8, gap: 2 }],
    },
  ],
  in_time: {
    ...{ deadline: '2027-01-01', as_of: '2026-11-23', weekly_hours: 1, budget_hours: 5, sampled: 10 },
    skills: [
      {
        ...{ skill: 'reading', title: { en: 'Reading' }, officers: 10, short: 5, unreachable: 5, insufficient_time: null },
        recommendation: 'hire',
      },
    ],
  },
};

describe('an agency\'s report', () => {
  it('names the group with the largest gap, if there are several and one lacks anything', () => {
    expect(furthestBehind(VIEW.groups)).toBe('service');
    expect(furthestBehind([group('it', 3)])).toBeUndefined();
    expect(furthestBehind([group('it', 0), group('service', 0)])).toBeUndefined();
    expect(furthestBehind([])).toBeUndefined();
  });

  it('is drawn on a scale of whole levels that holds them all', () => {
    expect([topOf([]), topOf([0.2]), topOf([3, 3.1]), topOf([-1])]).toEqual([1, 1, 4, 1]);
  });

  it('computes the level after the courses from what is missing then, and never below today’s', () => {
    const reading = group('it', 1).skills[0];
    if (!reading) throw new Error('no skill');
    expect(reachedOf(reading)).toBe(1.5);
    expect(reachedOf({ ...reading, after: 0 })).toBe(2);
    expect(reachedOf({ ...reading, required: 3, after: 0.04 })).toBe(2.9); // shown as "at least 2.9", not 3
    expect(reachedOf({ ...reading, required: 3, after: 0.7 })).toBe(2.3);
    expect(reachedOf({ ...reading, level: 3, gap: 0.2, after: 0.2 })).toBe(3); // some are above the requirement
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['@x', "'@x"],
    ['-2', "'-2"],
    [-2, '-2'],
    ['a "b", c', '"a ""b"", c"'],
    ['two\nlines', '"two\nlines"'],
    [null, ''],
    [0, '0'],
    ['=a,b', '"\'=a,b"'],
  ])('writes %j into a file that a spreadsheet reads as words and numbers', (value, written) => {
    expect(csvCell(value)).toBe(written);
  });

  it('becomes a file with a line for each figure, each as long as the first', () => {
    const lines = csvOf(VIEW).trimEnd().split('\r\n');
    const [head = '', ...rows] = lines;
    const width = head.split(',').length;
    for (const row of rows) expect(row.replaceAll(/"[^"]*"/g, '').split(',')).toHaveLength(width);
    const first = rows.map((row) => row.split(',')[0]);
    for (const name of [...head.slice(1).split(','), ...first]) expect(name).toMatch(/^[\u0e00-\u0e7f ]+ \([a-z_]+\)$/); // both languages
    expect(first.map((name) => /\((.*)\)/.exec(name ?? '')?.[1])).toEqual([
      ...['agency', 'job_group', 'job_group', 'job_group_skill', 'job_group_skill', 'past', 'past_job_group', 'skill', 'skill_open', 'skill_open'],
      ...['course', 'without_course', 'not_in_time'],
    ]);
    expect(rows[3]).toMatch(/\(job_group_skill\),it,reading,/);
    expect(head.split(',')[9]).toContain('(gap_after)');
    expect(rows[9]).toContain(',ชั่วโมงเรียนไม่พอ (budget),');
    expect(rows.at(-1)).toContain(',รับคนเพิ่มหรือจ้างเหมา (hire),');
    expect(rows[3]?.split(',').slice(5, 10)).toEqual(['7', '1', '2', '1', '0.5']);
    expect(rows[8]).toContain('<5');
    expect(csvOf({ ...VIEW, officers: null })).toContain('<5');
  });
});
