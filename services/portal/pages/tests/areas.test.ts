import { expect, test } from 'vitest';
import type { Framework } from '../src/api';
import { byArea } from '../src/areas';

const FRAMEWORK = { areas: [{ id: 'b', title: { en: 'B' } }, { id: 'a', title: { en: 'A' } }, { id: 'empty', title: { en: 'E' } }] } as unknown as Framework;
const first = (word: string) => word.charAt(0);

test('items are listed by area in the order of the framework, and areas without items are left out', () => {
  const found = byArea(['a1', 'b1', 'a2'], first, FRAMEWORK);
  expect(found.map(({ id, items }) => [id, items])).toEqual([
    ['b', ['b1']],
    ['a', ['a1', 'a2']],
  ]);
});

test('what belongs to no area of the framework follows under its id', () => {
  expect(byArea(['x1', 'a1'], first, FRAMEWORK).map(({ id, title }) => [id, title?.en])).toEqual([
    ['a', 'A'],
    ['x', 'x'],
  ]);
});

test('without a framework all items are in one area without a title', () => {
  expect(byArea(['x1', 'a1'], first, undefined)).toEqual([{ id: '', items: ['x1', 'a1'] }]);
});
