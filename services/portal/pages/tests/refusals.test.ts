import { describe, expect, it } from 'vitest';
import table from '../locales/refusals/th.json';
import { translator } from '../src/refusals';

const inThai = translator(table);
const entries = Object.entries(table as Record<string, string>);

describe('the texts of services', () => {
  it.each([
    ["above the scale's top, 5", 'สูงกว่าระดับสูงสุดของมาตรวัด คือ 5'],
    ['is to be a whole number or null, not a text', 'ต้องเป็นจำนวนเต็มหรือค่าว่าง แต่ที่ส่งมาเป็นข้อความ'],
    ['is to be a number of at most 168', 'ต้องเป็นตัวเลขไม่เกิน 168'],
    ['is to hold at most 200 characters', 'ต้องยาวไม่เกิน 200 ตัวอักษร'],
    ['is not a known field; there are: a, b', 'ไม่ใช่ข้อมูลที่ระบบรู้จัก ที่มีคือ a, b'],
    ['is none of the allowed values; allowed: th, en', 'ค่านี้ใช้ไม่ได้ ค่าที่ใช้ได้คือ th, en'],
    ["unknown job group 'x' in dga; there are: it, hr", "ไม่พบกลุ่มงาน 'x' ใน dga ที่มีคือ it, hr"],
    ["unknown stage 'x' in dga", "ไม่พบระยะ 'x' ใน dga"],
    ["framework dga has no skill 'x'; it is 'y' now", "กรอบทักษะ dga ไม่มีทักษะ 'x' ปัจจุบันใช้ 'y'"],
    ["left out: `completed` must not be above `started`", 'ไม่ได้อ่านค่านี้: จำนวนผู้เรียนจบต้องไม่มากกว่าจำนวนผู้เริ่มเรียน'],
    ["'32 Jan': not read as a date", "'32 Jan': อ่านเป็นวันที่ไม่ได้"],
    ['2569 looks like a Buddhist year; is 2026 meant?', '2569 น่าจะเป็นปี พ.ศ. หมายถึงปี ค.ศ. 2026 ใช่หรือไม่'],
  ])('%s is %s', (english, thai) => expect(inThai(english)).toBe(thai));

  it('are unchanged if a person wrote them', () => {
    expect(inThai("unknown course 'names nothing'")).toBe("ไม่รู้จักหลักสูตร 'names nothing'");
    expect(inThai("unknown course '{1} $& (.*)'")).toBe("ไม่รู้จักหลักสูตร '{1} $& (.*)'");
    expect(inThai('two\nlines')).toBeUndefined();
    expect(inThai('constructor')).toBeUndefined();
  });

  it('are found quickly, even if they are long', () => {
    for (const long of ['is to be '.repeat(500), `is to hold ${' to '.repeat(1000)}`, 'is given twice; only '.repeat(100)]) inThai(long);
  });

  it('have a Thai text that uses only existing values', () => {
    const values = (english: string): number => english.split('{}').length - 1;
    expect(entries.filter(([english, thai]) => [...thai.matchAll(/\{(\d)\}/g)].some(([, i]) => Number(i) >= values(english)))).toEqual([]);
    expect(entries.filter(([, thai]) => !/[\u0e00-\u0e7f]/.test(thai))).toEqual([]);
    expect(entries.filter(([english]) => !english.replaceAll('{}', '').trim())).toEqual([]);
  });
});
