import { describe, expect, it } from 'vitest';
import { columnsOf, counted, defaultsOf, factOf, isNotable, Lines, mapOf, NONE, reportFile, typeOf } from '../src/editor/importing';
import type { RowResult } from '../src/editor/requests';

const row = (more: Partial<RowResult>): RowResult => ({ line: 2, status: 'created', ...more });

describe('a file of courses', () => {
  it.each([
    ['Courses.CSV', 'text/csv'],
    ['a.b.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
    ['รายวิชา.jsonl', 'application/x-ndjson'],
    ['courses.pdf', undefined],
    ['csv', 'text/csv'],
    ['', undefined],
  ])('%s is read as %s', (name, type) => expect(typeOf(name)).toBe(type));

  it('lists the columns that are read first, and a column once for each reading', () => {
    expect(columnsOf({ mapping: { title: ['Name'], tags: ['Skills', 'Field'] }, unused_columns: ['No.'] })).toEqual([
      { name: 'Name', fact: 'title' },
      { name: 'Skills', fact: 'tags' },
      { name: 'Field', fact: 'tags' },
      { name: 'No.', fact: undefined },
    ]);
    expect(columnsOf({})).toEqual([]);
  });

  it('names its columns in the syntax of the import, for any column name', () => {
    const columns = [
      { name: 'ชื่อ, ไทย', fact: 'title' as const },
      { name: 'The "best" tags', fact: 'tags' as const },
      { name: 'No.', fact: undefined },
      { name: '#3', fact: 'url' as const },
    ];
    expect(mapOf(columns)).toBe('"title=ชื่อ, ไทย","tags=The ""best"" tags",url=#3');
    expect(defaultsOf({ provider: ' Institute, Bangkok ', hours: ' ' })).toBe('"provider=Institute, Bangkok"');
  });
});

describe('the answer to an import', () => {
  it('names a field by the name of its column', () => {
    expect(['hours', 'title.th', 'title', 'teaches[0].to', 'hasPart'].map(factOf)).toEqual(['hours', 'title_th', 'title', undefined, undefined]);
  });

  it('is cut into lines, for any end of the stream’s pieces', () => {
    const lines = new Lines();
    expect([lines.feed('{"line":1}\n{"li'), lines.feed('ne":2}'), lines.feed('\n\n{"line":3}'), lines.end(), lines.end()]).toEqual([
      ['{"line":1}'],
      [],
      ['{"line":2}'],
      ['{"line":3}'],
      [],
    ]);
  });

  it('is counted by verdict', () => {
    expect(counted({ ...NONE, refused: 1 }, [row({}), row({ status: 'refused' })])).toEqual({ ...NONE, created: 1, refused: 2 });
    expect([row({}), row({ status: 'refused' }), row({ warnings: [{ field: 'hours', detail: 'x' }] })].map(isNotable)).toEqual([false, true, true]);
  });

  it('is a file that a spreadsheet opens and does not compute', () => {
    const rows = [
      row({ id: 'a' }),
      row({ line: 3, status: 'refused', begins: '=1+1', problems: [{ status: 422, detail: 'is "wrong"', field: 'hours' }, { status: 422, detail: 'too' }] }),
    ];
    const text = reportFile(rows, ({ field, detail }) => (field ? `${field}: ${detail}` : detail));
    expect(text).toBe(
      '\ufeffบรรทัด (line),ผล (status),รหัสหลักสูตร (id),ข้อความต้นแถว (begins),ข้อสังเกต (remarks)\r\n' +
        '2,เพิ่มใหม่ (created),a,,\r\n3,ไม่รับ (refused),,\'=1+1,"hours: is ""wrong""\ntoo"\r\n',
    );
  });
});
