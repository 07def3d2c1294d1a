import { beforeAll, describe, expect, it, vi } from 'vitest';

vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
const sent: string[] = [];
let answers: Response[] = [];
vi.stubGlobal('window', { location: { origin: 'http://127.0.0.1' } });
vi.stubGlobal('fetch', async (request: Request) => {
  sent.push(`${request.method} ${await request.text()}`);
  return answers.shift() ?? Response.json('done');
});

const problem = (type: string, wait?: number): Response =>
  Response.json({ type: `/problems/${type}` }, { status: 503, headers: wait === undefined ? {} : { 'Retry-After': String(wait) } });

let api: typeof import('../src/api');

beforeAll(async () => {
  api = await import('../src/api');
});

/** Send a request, let all waits pass, and return the status of the answer and how often the request was sent. */
async function outcome(given: Response[], request: RequestInit = {}, path = 'api/v1/x'): Promise<[status: number, sent: number]> {
  answers = given;
  sent.length = 0;
  const answered = api.patient(new Request(`http://127.0.0.1/${path}`, request));
  await vi.advanceTimersByTimeAsync(30_000);
  return [(await answered).status, sent.length];
}

const json = (method: string, more: Record<string, string> = {}): RequestInit => ({
  method,
  body: '{}',
  headers: { 'Content-Type': 'application/json', ...more },
});

describe('a service that cannot answer for a moment', () => {
  it('is asked again after the time that it names', async () => {
    expect(await outcome([problem('unavailable', 2), problem('unavailable', 2)])).toEqual([200, 3]);
  });

  it('gets a change again for which nothing was done, with its body', async () => {
    expect(await outcome([problem('overloaded', 1)], json('PUT'))).toEqual([200, 2]);
    expect(sent).toEqual(['PUT {}', 'PUT {}']);
    expect(await outcome([problem('overloaded', 1)], { method: 'DELETE' })).toEqual([200, 2]);
  });

  it('gets a change again that may have been carried out only if that makes no difference', async () => {
    const twice = [json('PUT'), json('DELETE'), json('POST', { 'Idempotency-Key': 'one' })];
    for (const request of twice) expect(await outcome([problem('unavailable', 1)], request)).toEqual([200, 2]);
    for (const path of ['session', 'api/v1/recommendations', 'api/v1/officers/o-1/sessions/s-1/answers'])
      expect(await outcome([problem('unavailable', 1)], json('POST'), path)).toEqual([200, 2]);
    const once = [json('POST'), json('PUT', { 'If-Match': '"1"' })];
    for (const request of once) expect(await outcome([problem('unavailable', 1)], request)).toEqual([503, 1]);
  });

  it('has carried a deletion out if the repetition finds nothing', async () => {
    const nothing = () => Response.json({ type: '/problems/not-found' }, { status: 404 });
    expect(await outcome([problem('unavailable', 1), nothing()], { method: 'DELETE' })).toEqual([204, 2]);
    expect(await outcome([nothing()], { method: 'DELETE' })).toEqual([404, 1]);
    expect(await outcome([problem('unavailable', 1), nothing()])).toEqual([404, 2]);
  });

  it('does not get a file again', async () => {
    const file = { method: 'POST', body: 'a,b', headers: { 'Content-Type': 'text/csv' } };
    expect(await outcome([problem('overloaded', 1)], file)).toEqual([503, 1]);
  });

  it('is asked for at most ten seconds', async () => {
    const busy = Array.from({ length: 20 }, () => problem('overloaded', 2));
    expect(await outcome(busy)).toEqual([503, 6]);
    expect(await outcome([problem('overloaded', 3600)])).toEqual([503, 1]);
  });

  it('is not asked again if it does not say when', async () => {
    expect(await outcome([problem('overloaded')])).toEqual([503, 1]);
  });
});
