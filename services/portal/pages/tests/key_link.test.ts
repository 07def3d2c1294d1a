import { describe, expect, it } from 'vitest';
import { isOwnMachine, parted } from '../src/key_link';

describe('a link that signs in', () => {
  it('holds a key, and its other parameters do not change', () => {
    expect(parted('#key=a-b.c_d')).toEqual({ key: 'a-b.c_d', rest: '' });
    expect(parted('#key=a.b&officer=o-1')).toEqual({ key: 'a.b', rest: '#officer=o-1' });
    expect(parted('#courses/x&key=a%2Eb')).toEqual({ key: 'a.b', rest: '#courses/x' });
    expect(parted('#key=a.b&key=c.d&')).toEqual({ key: 'a.b', rest: '' });
    expect(parted('#key=')).toEqual({ key: '', rest: '' });
    expect(parted('#key=%zz')).toMatchObject({ rest: '' });
  });

  it('is no link without a key', () => {
    for (const hash of ['', '#', '#officer=o-1', '#monkey=a.b', '#courses/x?key=a']) {
      expect(parted(hash)).toEqual({ key: undefined, rest: hash });
    }
  });

  it('works only on the reader’s own machine', () => {
    expect(['127.0.0.1', '127.8.0.1', 'localhost', 'portal.localhost', '[::1]'].every(isOwnMachine)).toBe(true);
    const others = ['portal.example.go.th', '127.0.0.1.example.org', 'localhost.example.org', 'notlocalhost', '10.0.0.1', ''];
    expect(others.some(isOwnMachine)).toBe(false);
  });
});
