/** What a file of courses is, which column of it holds what, and the lines of the answer. Pure, no DOM. */

import { csvFile, inBoth } from '../files';
import type { ImportReport, RowResult } from './requests';

/** What an import reads of a row; docs/importing.md describes each. */
export const FACTS = [
  'id', 'code', 'title', 'title_th', 'title_en', 'provider', 'provider_th', 'provider_en', 'hours', 'duration',
  'languages', 'level', 'tags', 'prerequisites', 'description', 'description_th', 'description_en', 'url', 'modality',
  'starts', 'ends', 'rating', 'rating_count', 'started', 'completed', 'accredited_against', 'teaches', 'requires',
  'stated', 'assumed', 'corequisites', 'antirequisites', 'educational_level', 'example',
] as const; // prettier-ignore
export type Fact = (typeof FACTS)[number];

/** The largest file that is sent from the page. A browser takes the answers to all rows only once the whole file has left. */
export const MOST_BYTES = 100_000_000;

/** The encodings that may be chosen for a text, by the names that the import knows. */
export const ENCODINGS = ['utf-8', 'tis-620', 'utf-16', 'cp1252'] as const;
export type Encoding = (typeof ENCODINGS)[number];

const TYPES: Record<string, string> = {
  csv: 'text/csv',
  txt: 'text/csv',
  tsv: 'text/tab-separated-values',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
  jsonld: 'application/ld+json',
  json: 'application/ld+json',
  html: 'text/html',
  htm: 'text/html',
};

/** The names of files that are taken, as a file field wants them. */
export const ACCEPTED = Object.keys(TYPES).map((ending) => `.${ending}`).join(',');

/** Return the content type of a file by its name, undefined for one that is not read. */
export const typeOf = (name: string): string | undefined => TYPES[name.split('.').at(-1)?.toLowerCase() ?? ''];

/** A column of a table, and what is read from it; undefined: nothing. */
export interface Column {
  name: string;
  fact: Fact | undefined;
}

/** Return the columns of a file as its report lists them, those that are read first. */
export function columnsOf({ mapping = {}, unused_columns = [] }: Pick<ImportReport, 'mapping' | 'unused_columns'>): Column[] {
  const read = Object.entries(mapping).flatMap(([fact, names]) => names.map((name) => ({ name, fact: fact as Fact })));
  return [...read, ...unused_columns.map((name) => ({ name, fact: undefined }))];
}

const quoted = (item: string): string => (/[,"\n]/.test(item) ? `"${item.replaceAll('"', '""')}"` : item);

/** Return the beginning of a name, which may be of any length. */
export const beginningOf = (name: string): string => (name.length > 60 ? `${name.slice(0, 60)}…` : name);

/** Return columns in the syntax of the parameter `map`. */
export const mapOf = (columns: readonly Column[]): string =>
  columns.flatMap(({ name, fact }) => (fact ? [quoted(`${fact}=${name}`)] : [])).join(',');

/** Return what the file does not state in the syntax of the parameter `default`. */
export const defaultsOf = (values: Partial<Record<Fact, string>>): string =>
  Object.entries(values).flatMap(([fact, value]) => (value.trim() ? [quoted(`${fact}=${value.trim()}`)] : [])).join(',');

/** Cuts a stream of text into lines. */
export class Lines {
  private rest = '';

  /** Return the lines that are complete with this piece. */
  feed(piece: string): string[] {
    const lines = (this.rest + piece).split('\n');
    this.rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim());
  }

  /** Return what is left at the end. */
  end(): string[] {
    const left = this.rest.trim();
    this.rest = '';
    return left ? [left] : [];
  }
}

/** Whether a line of the answer is the report on the whole file, which is the last one. */
export const isReport = (line: RowResult | ImportReport): line is ImportReport => 'import_id' in line;

export type Counts = Record<RowResult['status'], number>;
export const NONE: Counts = { created: 0, changed: 0, unchanged: 0, refused: 0 };

/** Return how many rows counts are of. */
export const totalOf = (counts: Counts): number => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** Return the counts of a report. */
export const countsOf = ({ created = 0, changed = 0, unchanged = 0, refused = 0 }: ImportReport): Counts => ({ created, changed, unchanged, refused });

/** Return counts with those of more rows. */
export function counted(before: Counts, rows: readonly RowResult[]): Counts {
  const after = { ...before };
  for (const { status } of rows) after[status] += 1;
  return after;
}

/** Whether a person should look at a row. */
export const isNotable = ({ status, warnings = [] }: RowResult): boolean => status === 'refused' || warnings.length > 0;

/** A fault or a warning of a row. */
export interface Remark {
  field?: string | null;
  detail: string;
}

/** Return the faults and the warnings of a row. */
export const remarksOf = ({ problems = [], warnings = [] }: RowResult): Remark[] => [...problems, ...warnings];

/** Return the fact that a field of a course is read from, undefined for a field that no column holds. */
export const factOf = (field: string): Fact | undefined => FACTS.find((fact) => fact === field.replace('.', '_'));

const HEADER = [
  inBoth('บรรทัด', 'line'),
  inBoth('ผล', 'status'),
  inBoth('รหัสหลักสูตร', 'id'),
  inBoth('ข้อความต้นแถว', 'begins'),
  inBoth('ข้อสังเกต', 'remarks'),
];
const STATUSES: Record<RowResult['status'], string> = {
  created: 'เพิ่มใหม่',
  changed: 'แก้ไข',
  unchanged: 'เหมือนเดิม',
  refused: 'ไม่รับ',
};

/** Return the verdicts on rows as a CSV file; `worded` returns the text of a remark. */
export function reportFile(rows: readonly RowResult[], worded: (remark: Remark) => string): string {
  const lines = rows.map((row) => [
    String(row.line),
    inBoth(STATUSES[row.status], row.status),
    row.id ?? '',
    row.begins ?? '',
    remarksOf(row).map(worded).join('\n'),
  ]);
  return csvFile([HEADER, ...lines]);
}
