/** What is computed from an agency's figures: the job group with the largest gap, and a CSV file. Pure, no DOM. */

import thai from '../../locales/agency.th.json';
import { type Cell, csvFile, inBoth } from '../files';
import type { Text } from '../i18n';
import type { AgencyView, GroupGaps, GroupSkill } from './requests';

/** Return the job group with the largest gap per officer; undefined if nobody lacks anything or there is only one group. */
export function furthestBehind(groups: GroupGaps[]): string | undefined {
  if (groups.length < 2) return undefined;
  const first = groups.reduce((most, group) => (group.gap > most.gap ? group : most));
  return first.gap > 0 ? first.job_group : undefined;
}

const FLOATING = 1e-6; // so that 3 - 0.7 stays 2.3

/**
 * Return the least mean level after the courses, to whole tenths downwards unless it is today's. The service returns how
 * much of the requirement is missing then (`after`), not by how much some officers exceed it.
 */
export const reachedOf = ({ level, required, after }: GroupSkill): number =>
  Math.max(level, Math.floor((required - after) * 10 + FLOATING) / 10);

/** Return the top of a scale that holds these levels: a whole number, 1 at least. */
export const topOf = (levels: number[]): number => Math.max(1, Math.ceil(Math.max(0, ...levels)));

/** The columns of the file, and the Thai name of each. */
const COLUMNS = {
  part: 'ส่วนของภาพรวม',
  job_group: 'รหัสกลุ่มงาน',
  id: 'รหัส',
  title_th: 'ชื่อภาษาไทย',
  title_en: 'ชื่อภาษาอังกฤษ',
  officers: 'จำนวนคน',
  level: 'ระดับวันนี้',
  required: 'ระดับที่งานต้องใช้',
  gap: 'ระดับที่ขาดเฉลี่ย',
  gap_after: 'ระดับที่ยังขาดเมื่อเรียนครบ',
  share: 'สัดส่วนทักษะที่มีวันนี้',
  share_after: 'สัดส่วนทักษะเมื่อเรียนครบ',
  hours: 'ชั่วโมงเรียน',
  cause: 'สาเหตุ',
  short: 'คนที่ยังขาด',
  unreachable: 'คนที่ขาดเพราะไม่มีหลักสูตร',
  insufficient_time: 'คนที่เวลาเรียนไม่พอ',
  recommendation: 'ข้อเสนอแนะ',
  as_of: 'ข้อมูล ณ วันที่',
} as const;
type Column = keyof typeof COLUMNS;

/** The subject of a line. */
const PARTS: Partial<Record<string, string>> = {
  agency: 'หน่วยงาน',
  job_group: 'กลุ่มงาน',
  job_group_skill: 'ทักษะของกลุ่มงาน',
  past: 'ที่ผ่านมา',
  past_job_group: 'กลุ่มงาน ที่ผ่านมา',
  skill: 'ทักษะ',
  skill_open: 'ทักษะที่ยังขาดเมื่อเรียนครบ',
  course: 'หลักสูตร',
  without_course: 'คนที่ไม่มีหลักสูตรให้เรียน',
  not_in_time: 'ทักษะที่เรียนไม่ทัน',
};
type Row = Partial<Record<Column, Cell>> & { part: string };

/** Return the Thai words of the page for a code, undefined for one that a newer service names. */
const wordsOf = (kind: 'agencyCause' | 'advice', code: string): string | undefined =>
  (thai as Partial<Record<string, string>>)[`${kind}.${code}`];
const causeCell = (code: string): Cell => inBoth(wordsOf('agencyCause', code), code);

const titles = (text: Text): Partial<Row> => ({ title_th: text.th, title_en: text.en });

/**
 * Return a report as a CSV file, one figure of a group, skill or course in each line; `part` names its subject. Names of columns,
 * parts, causes and recommendations stand in Thai with the English name beside it, in either language of the page. Where a count
 * is given as "fewer than the smallest group", `<` and that number stand.
 */
export function csvOf(view: AgencyView): string {
  const countCell = (count: number | null): Cell => count ?? `<${view.min_group}`;
  const about: Row = { part: 'agency', id: view.agency, officers: countCell(view.officers) };
  const rows: Row[] = [
    about,
    ...view.groups.map((one) => ({
      ...{ part: 'job_group', id: one.job_group, ...titles(one.title), officers: one.officers, gap: one.gap },
      ...{ share: one.before, share_after: one.after, hours: one.hours, as_of: one.as_of },
    })),
    ...view.groups.flatMap(({ job_group, skills }) =>
      skills.map((one) => ({
        ...{ part: 'job_group_skill', job_group, id: one.skill, ...titles(one.title), officers: one.officers },
        ...{ level: one.level, required: one.required, gap: one.gap, gap_after: one.after },
      })),
    ),
    ...view.history.flatMap((one) => [
      {
        ...{ part: 'past', id: view.agency, officers: one.officers, gap: one.gap, as_of: one.day },
        ...{ share: one.before, share_after: one.after },
      },
      ...one.groups.map((group) => ({
        ...{ part: 'past_job_group', id: group.job_group, officers: group.officers, gap: group.gap, as_of: one.day },
        ...{ share: group.before, share_after: group.after },
      })),
    ]),
    ...view.skills.flatMap((one) => [
      {
        ...{ part: 'skill', id: one.skill, ...titles(one.title), officers: one.officers },
        ...{ level: one.level, required: one.required, gap: one.gap, gap_after: one.after },
      },
      ...Object.entries(one.open).map(([cause, count]) => ({
        ...{ part: 'skill_open', id: one.skill, ...titles(one.title), cause: causeCell(cause), officers: countCell(count) },
      })),
    ]),
    ...view.courses.map(({ course, officers }) => ({
      ...{ part: 'course', id: course.id, ...titles(course.title), officers, hours: course.hours },
    })),
    ...Object.entries(view.without_path).map(([cause, count]) => ({ part: 'without_course', cause: causeCell(cause), officers: countCell(count) })),
    ...(view.in_time?.skills ?? []).map((one) => ({
      ...{ part: 'not_in_time', id: one.skill, ...titles(one.title), officers: one.officers, short: one.short },
      ...{ unreachable: countCell(one.unreachable), insufficient_time: countCell(one.insufficient_time) },
      ...{ recommendation: inBoth(wordsOf('advice', one.recommendation), one.recommendation), as_of: view.in_time?.deadline },
    })),
  ];
  const columns = Object.keys(COLUMNS) as Column[];
  const header = columns.map((column) => inBoth(COLUMNS[column], column));
  const cellOf = (row: Row, column: Column): Cell => (column === 'part' ? inBoth(PARTS[row.part], row.part) : row[column]);
  return csvFile([header, ...rows.map((row) => columns.map((column) => cellOf(row, column)))]);
}
