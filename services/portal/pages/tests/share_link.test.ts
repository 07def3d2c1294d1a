import { describe, expect, it } from 'vitest';
import { shareAddress, shareLinkOf } from '../src/share_link';

const LINK = { key: `0123456789abcdef.${'a-Z_9'.repeat(8)}`, officer: 'o-1.x' };

describe('a share link', () => {
  it('opens the learning path of its address', () => {
    const address = new URL(shareAddress('https://learn.example.go.th', LINK));
    expect([address.pathname, address.search]).toEqual(['/', '']); // nothing of it is sent to a server
    expect(shareLinkOf(address.hash)).toEqual(LINK);
  });

  it('is none without a key', () => {
    for (const hash of ['', '#', '#officer=o-1', '#key=a.b&officer=o-1', '#shared=x']) expect(shareLinkOf(hash)).toBeUndefined();
  });

  it.each([
    '#share=',
    '#share=&officer=o-1',
    `#share=${LINK.key}`,
    `#share=${LINK.key}&officer=../x`,
    `#share=${LINK.key}&officer=a%2Fb`,
    `#share=${LINK.key.slice(0, 20)}&officer=o-1`,
    '#share=no key&officer=o-1',
    '#share=%zz&officer=o-1',
  ])('is damaged as %s', (hash) => {
    expect(shareLinkOf(hash)).toBeNull();
  });
});
