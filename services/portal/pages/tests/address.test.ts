import { beforeAll, describe, expect, it, vi } from 'vitest';

const listeners: (() => void)[] = [];
const location = { origin: 'http://127.0.0.1', hash: '' };
vi.stubGlobal('window', { location, addEventListener: (_: string, listener: () => void) => listeners.push(listener) });

let of: typeof import('../src/address');
let editors: typeof import('../src/editor/address');

beforeAll(async () => {
  of = await import('../src/address');
  editors = await import('../src/editor/address');
});

/** Go to an address, as a browser does. */
function goTo(hash: string): void {
  location.hash = hash;
  for (const listener of listeners) listener();
}

describe('an address', () => {
  it('contains the requested parameters, without empty ones', () => {
    expect(of.linkTo({ view: 'courses', q: 'a&b', skill: '', level: undefined, most: 0, by: null })).toBe('#view=courses&q=a%26b&most=0');
  });

  it('is read again when it changes', () => {
    goTo('#view=agency&agency=north');
    expect(of.params.value.get('agency')).toBe('north');
    goTo('');
    expect(of.params.value.get('agency')).toBeNull();
  });

  it.each([
    ['https://example.go.th/a', 'https://example.go.th/a'],
    ['javascript:alert(1)', undefined],
    [' https://example.go.th', undefined],
    ['', undefined],
    [null, undefined],
  ])('of the web is taken from %j where a browser may be sent there', (url, wanted) => {
    expect(of.webAddress(url)).toBe(wanted);
  });

  it.each([
    ['', 'matches'],
    ['#view=health', 'health'],
    ['#view=nothing', 'matches'],
    ['#officer=o-1', 'officers'],
    ['#choose', 'officers'],
  ])('%j means a page of the editors', (hash, view) => {
    goTo(hash);
    expect(editors.address.value.view).toBe(view);
    expect(editors.link('officers')).toBe('#choose');
  });

  it('of the queue keeps the framework and the skill that were chosen', () => {
    goTo(editors.link('matches', { framework: 'th-digital-2018', skill: 'data', order: '' }));
    const { params } = editors.address.value;
    expect([params.get('framework'), params.get('skill'), params.get('order')]).toEqual(['th-digital-2018', 'data', null]);
  });
});
